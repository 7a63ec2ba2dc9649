import type { Logger, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';

/** Times in milliseconds. */
export interface PostgresBusOptions {
  /** The database of the bus, with the tables of `postgresBusMigrations`. Closed by whoever opened it, after the bus. */
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** A process that says nothing for so long has lost its slots. It says so every quarter of it. @default 3600 */
  readonly leaseMs?: number;
  /** Longest wait before handled events are removed. Longer: fewer statements, more repeats after a crash. @default 20 */
  readonly ackMs?: number;
  /** Shortest time between two looks into the queue of a group; the first of a burst is looked for at once. @default 4 */
  readonly coalesceMs?: number;
  /** Longest wait for a statement of ours. @default 10000 */
  readonly statementMs?: number;
  /** Events that wait here for their turn to be written; beyond it publishing is refused. @default 8192 */
  readonly capacity?: number;
}

export type PostgresBusSettings = Required<Omit<PostgresBusOptions, 'log'>> & { readonly log: Logger };

export const postgresBusDefaults = Object.freeze({
  leaseMs: 3600,
  ackMs: 20,
  coalesceMs: 4,
  statementMs: 10_000,
  capacity: 8192,
});
