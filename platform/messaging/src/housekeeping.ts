import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createBell } from './bell.ts';
import type { Instruments } from './instruments.ts';
import type { MessagingOptions } from './options.ts';

/** What waits in the tables, as last counted. */
export interface Backlog {
  readonly pending: number;
  readonly oldestAgeSeconds: number;
  readonly retrying: number;
  readonly dead: number;
}

export interface HousekeepingInit {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  readonly instruments: Instruments;
  readonly context: () => Context;
}

const COUNT = `
  /* messaging-count */
  SELECT o.pending, o.age, r.retrying, d.dead
  FROM (SELECT count(*)::int AS pending, coalesce(extract(epoch FROM $1 - min(time)), 0)::float8 AS age FROM souk.outbox) o,
    (SELECT count(*)::int AS retrying FROM souk.retry) r,
    (SELECT count(*)::int AS dead FROM souk.dead_letter WHERE status = 'dead') d`;

const SWEEP = `
  /* inbox-sweep */
  DELETE FROM souk.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM souk.inbox WHERE received_at < $1 LIMIT $2))`;

/** Rows that one statement removes: more would hold locks and the log for long. */
const SWEEP_ROWS = 5000;

/** Counts what waits, and forgets what the inbox need not know any more. */
export class Housekeeping {
  readonly #init: HousekeepingInit;
  readonly #bell;
  #backlog: Backlog = { pending: 0, oldestAgeSeconds: 0, retrying: 0, dead: 0 };
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(init: HousekeepingInit) {
    this.#init = init;
    this.#bell = createBell(init.runtime.timers);
  }

  get backlog(): Backlog {
    return this.#backlog;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#bell.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { runtime, options, log } = this.#init;
    let sweptMs = Number.NEGATIVE_INFINITY;
    while (!this.#stopping) {
      try {
        await this.#count();
        if (runtime.clock.monotonicMs() - sweptMs >= options.retentionEveryMs) {
          sweptMs = runtime.clock.monotonicMs();
          await this.#sweep();
        }
      } catch (thrown) {
        log.warn('the outbox could not be counted, or the inbox not be swept', { err: fromUnknown(thrown) });
      }
      await this.#bell.rest(options.statsMs);
    }
  }

  async #count(): Promise<void> {
    const { db, runtime, instruments } = this.#init;
    using ctx = this.#init.context();
    const { rows } = await db
      .at(ctx)
      .query<{ pending: number; age: number; retrying: number; dead: number }>(COUNT, [new Date(runtime.clock.now())]);
    const [row] = rows;
    if (row === undefined) return;
    const { pending, retrying, dead } = row;
    this.#backlog = { pending, oldestAgeSeconds: Math.max(0, row.age), retrying, dead };
    instruments.pending.set(pending, {});
    instruments.ageSeconds.set(this.#backlog.oldestAgeSeconds, {});
    instruments.retrying.set(retrying, {});
    instruments.dead.set(dead, {});
  }

  async #sweep(): Promise<void> {
    const { db, runtime, options } = this.#init;
    const before = new Date(runtime.clock.now() - options.inboxRetentionMs);
    for (let removed = SWEEP_ROWS; removed === SWEEP_ROWS && !this.#stopping; ) {
      using ctx = this.#init.context();
      removed = (await db.at(ctx).query(SWEEP, [before, SWEEP_ROWS])).rowCount;
    }
  }
}
