/** What may be set; all times in milliseconds. */
export interface SagaEngineOptions {
  /** Sagas that run at once in this process. What starts beyond it waits in the database as READY. @default 64 */
  readonly concurrency?: number;
  /** The lease of a worker ends this long after its last heartbeat, by the clock of the database. @default 10000 */
  readonly leaseMs?: number;
  /** Time between heartbeats. @default 3000 */
  readonly heartbeatMs?: number;
  /** A worker that had no successful heartbeat for this long, by its own monotonic clock, stops all work. Less than `leaseMs`. @default 7000 */
  readonly selfFenceMs?: number;
  /** Time between looks for sagas to claim when nothing else asks for one. @default 1000 */
  readonly pollMs?: number;
  /** Time between looks for workers whose lease ended. @default 2000 */
  readonly takeOverMs?: number;
  /** Time between checks that each saga owned here also runs here. @default 10000 */
  readonly auditMs?: number;
  /** How long `stop` lets running attempts finish before it aborts them. @default 5000 */
  readonly drainMs?: number;
  /** Claims without a new record after which a saga is STUCK. @default 20 */
  readonly maxClaims?: number;
  /** A saga that is due for so long and whose definition no live worker has is STUCK. Longer than a deployment takes. @default 60000 */
  readonly orphanMs?: number;
  /** Sagas that have ended are forgotten after this. @default 30 days */
  readonly retainMs?: number;
  /** Time between looks for what can be forgotten. @default 600000 */
  readonly retentionEveryMs?: number;
}

export type SagaEngineSettings = Required<SagaEngineOptions>;

export const resolveOptions = (options: SagaEngineOptions): SagaEngineSettings => ({
  concurrency: options.concurrency ?? 64,
  leaseMs: options.leaseMs ?? 10_000,
  heartbeatMs: options.heartbeatMs ?? 3_000,
  selfFenceMs: options.selfFenceMs ?? 7_000,
  pollMs: options.pollMs ?? 1_000,
  takeOverMs: options.takeOverMs ?? 2_000,
  auditMs: options.auditMs ?? 10_000,
  drainMs: options.drainMs ?? 5_000,
  maxClaims: options.maxClaims ?? 20,
  orphanMs: options.orphanMs ?? 60_000,
  retainMs: options.retainMs ?? 30 * 24 * 3_600_000,
  retentionEveryMs: options.retentionEveryMs ?? 10 * 60_000,
});
