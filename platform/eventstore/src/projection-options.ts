/** How projections and subscriptions follow events. Times in milliseconds. */
export interface ProjectionOptions {
  /** Events that are read and applied at once, at most. @default 500 */
  readonly batchSize: number;
  /** Batches become smaller when their transactions take longer: all readers of events wait for whoever writes. @default 150 */
  readonly batchTargetMs: number;
  /** Shortest time between two batches of a partition, so that a burst of commits is applied together; nobody who waits is held up by it. @default 100 */
  readonly coalesceMs: number;
  /** A process that is silent for so long has lost its partitions. A living one says so, and looks for news, every third. @default 3600 */
  readonly leaseMs: number;
  /** A batch, or one event of a subscription, that takes longer is given up and tried again. @default 30000 */
  readonly batchMs: number;
  /** A partition that is behind and has not moved for so long is reported. @default 30000 */
  readonly stallMs: number;
  /** Tries of an event that fails for good before it is parked. @default 3 */
  readonly attempts: number;
  /** First and longest wait after something failed. @default 100 and 10000 */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** So many streams at most are parked; then the whole waits, since it is not the events that are wrong. @default 100 */
  readonly maxParkedStreams: number;
  /** Longest wait of a switch to rebuilt tables for those who use the old ones; readers wait as long. @default 1000 */
  readonly lockMs: number;
  /** Between two counts of what projections are behind. @default 5000 */
  readonly statsMs: number;
}

export const projectionDefaults: ProjectionOptions = Object.freeze({
  batchSize: 500,
  batchTargetMs: 150,
  coalesceMs: 100,
  leaseMs: 3600,
  batchMs: 30_000,
  stallMs: 30_000,
  attempts: 3,
  firstPauseMs: 100,
  longestPauseMs: 10_000,
  maxParkedStreams: 100,
  lockMs: 1000,
  statsMs: 5000,
});
