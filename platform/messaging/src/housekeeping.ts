import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createBell } from './bell.ts';
import { COUNTED } from './consumer-control.ts';
import type { Instruments } from './instruments.ts';
import type { MessagingOptions } from './options.ts';

/** What waits in the tables, as last counted. Counts stop at 10,001. */
export interface Backlog {
  readonly pending: number;
  readonly oldestAgeSeconds: number;
  readonly retrying: number;
  readonly dead: number;
  /** Keys whose later events wait behind a dead letter. */
  readonly blocked: number;
  /** An operator has paused the consumer. */
  readonly paused: boolean;
}

export const NO_BACKLOG: Backlog = { pending: 0, oldestAgeSeconds: 0, retrying: 0, dead: 0, blocked: 0, paused: false };

export interface HousekeepingInit {
  readonly consumer: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  readonly instruments: Instruments;
  readonly context: () => Context;
  /** Told after each count whether the consumer is paused. */
  readonly onPaused: (paused: boolean) => void;
}

interface CountRow {
  readonly pending: number;
  readonly age: number;
  readonly retrying: number;
  readonly dead: number;
  readonly blocked: number;
  readonly paused: boolean;
}

// Each looks at no more than so many rows, however many there are.
const COUNT = `
  /* messaging-count */
  SELECT
    (SELECT count(*)::int FROM (SELECT FROM souk.outbox LIMIT ${COUNTED}) o) AS pending,
    coalesce((SELECT extract(epoch FROM $1 - time)::float8 FROM souk.outbox ORDER BY pos LIMIT 1), 0) AS age,
    (SELECT count(*)::int FROM (SELECT FROM souk.retry WHERE consumer = $2 AND state <> 'blocked' LIMIT ${COUNTED}) r) AS retrying,
    (SELECT count(*)::int FROM (SELECT FROM souk.dead_letter WHERE consumer = $2 AND status = 'dead' LIMIT ${COUNTED}) d) AS dead,
    (SELECT count(*)::int FROM (SELECT FROM souk.retry WHERE state = 'blocked' LIMIT ${COUNTED}) b) AS blocked,
    coalesce((SELECT paused FROM souk.consumer_state WHERE consumer = $2), false) AS paused`;

const SWEEP = `
  /* inbox-sweep */
  DELETE FROM souk.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM souk.inbox WHERE received_at < $1 LIMIT $2))`;

/** Rows that one statement removes: more would hold locks and the log for long. */
const SWEEP_ROWS = 5000;

/** Counts what waits, and forgets what the inbox need not know any more. */
export class Housekeeping {
  readonly #init: HousekeepingInit;
  readonly #bell;
  #backlog: Backlog = NO_BACKLOG;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(init: HousekeepingInit) {
    this.#init = init;
    this.#bell = createBell(init.runtime.timers);
  }

  get backlog(): Backlog {
    return this.#backlog;
  }

  /** Counts once, so that what an operator said before the start holds from it. */
  async prepare(): Promise<void> {
    await this.#count();
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
    const values = [new Date(runtime.clock.now()), this.#init.consumer];
    const [row] = (await db.at(ctx).query<CountRow>(COUNT, values)).rows;
    if (row === undefined) return;
    const { age, ...counts } = row;
    const { pending, retrying, dead, blocked } = counts;
    this.#backlog = { ...counts, oldestAgeSeconds: Math.max(0, age) };
    this.#init.onPaused(row.paused);
    instruments.pending.set(pending, {});
    instruments.ageSeconds.set(this.#backlog.oldestAgeSeconds, {});
    instruments.retrying.set(retrying, {});
    instruments.dead.set(dead, {});
    instruments.blocked.set(blocked, {});
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
