/** How events of a service are sent, retried and kept. Times in milliseconds. */
export interface MessagingOptions {
  /** Rows that the relay reads at once. @default 500 */
  readonly batchSize: number;
  /** Events that the relay has handed to the bus and that are not acknowledged; more wait in the outbox. @default 1024 */
  readonly maxInFlight: number;
  /** Shortest time between two reads of the outbox in a burst, so that many commits are read together; below some 300 events per second each is read at once. @default 20 */
  readonly coalesceMs: number;
  /** Longest wait before acknowledged rows leave the outbox. Longer: fewer statements, more repeats after a crash. @default 60 */
  readonly ackMs: number;
  /** The outbox and the retry table are looked at so often when nothing woke us. @default 1000 */
  readonly pollMs: number;
  /** A relay that was killed is replaced after this, and at most a quarter of it. One that lives says so every quarter. @default 3600 */
  readonly leaseMs: number;
  /** Time of a handler for one attempt. @default 10000 */
  readonly handlerMs: number;
  /** How long `stop` waits for handlers that run. @default 8000 */
  readonly drainMs: number;
  /** Retried events that run at the same time. @default 8 */
  readonly retryConcurrency: number;
  /** How long the inbox knows an event: longer than anything can be delivered again. @default 14 days */
  readonly inboxRetentionMs: number;
  /** Between two looks for what is old. @default 10 minutes */
  readonly retentionEveryMs: number;
  /** Between two counts of what waits and what is dead. @default 5000 */
  readonly statsMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export const messagingDefaults: MessagingOptions = Object.freeze({
  batchSize: 500,
  maxInFlight: 1024,
  coalesceMs: 20,
  ackMs: 60,
  pollMs: 1000,
  leaseMs: 3600,
  handlerMs: 10_000,
  drainMs: 8000,
  retryConcurrency: 8,
  inboxRetentionMs: 14 * DAY_MS,
  retentionEveryMs: 10 * 60_000,
  statsMs: 5000,
});

/** Longest protobuf of one event, in bytes. */
export const MAX_EVENT_BYTES = 256 * 1024;
