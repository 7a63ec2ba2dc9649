/** How a service uses its database. All times in milliseconds. */
export interface PoolOptions {
  /** Connections at most. @default 10 */
  readonly poolSize: number;
  /** A connection that nobody used for so long is closed. @default 30000 */
  readonly idleMs: number;
  /** Longest wait to connect. @default 5000 */
  readonly connectMs: number;
  /** Longest wait for a free connection when the call has no earlier deadline. @default 10000 */
  readonly acquireMs: number;
  /** Calls that may wait for a connection; more are refused at once. @default 1000 */
  readonly queueLimit: number;
  /** How long a statement may go on after it was cancelled before its connection is cut. @default 2000 */
  readonly cancelMs: number;
  /** A transaction that waits for its client longer than this is ended by the server. @default 10000 */
  readonly idleInTransactionMs: number;
  /** Statements that take longer are logged, without their values. @default 250 */
  readonly slowMs: number;
}

export const poolDefaults: PoolOptions = {
  poolSize: 10,
  idleMs: 30_000,
  connectMs: 5000,
  acquireMs: 10_000,
  queueLimit: 1000,
  cancelMs: 2000,
  idleInTransactionMs: 10_000,
  slowMs: 250,
};
