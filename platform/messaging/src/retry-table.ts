import type { Context, Runtime, SoukError } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { Envelope } from './envelope.ts';
import { type EnvelopeJson, fromEnvelopeJson, toEnvelopeJson } from './envelope-json.ts';

/** A failed attempt, as it is kept. */
export interface Failure {
  readonly at: string;
  readonly reason: string;
  readonly error: string;
}

/** An event that was put aside, held by us for a while. */
export interface ClaimedRetry {
  readonly id: bigint;
  readonly key: string;
  /** Delayed attempts, this one included. Written before the handler runs: what kills the process is counted. */
  readonly attempts: number;
  /** Attempts that did not come to an end, as when they took the process with them. Such an event runs alone. */
  readonly lost: number;
  readonly envelope: Envelope;
  readonly failures: readonly Failure[];
}

export interface Claims {
  readonly claimed: readonly ClaimedRetry[];
  /** Whether any event of this consumer is put aside. */
  readonly any: boolean;
  /** Milliseconds until the next one is due; `Infinity` when none is. */
  readonly nextMs: number;
}

/**
 * Events put aside, in the consumer's own database. At most the first row of a key is due; the others are parked behind it.
 * What adds or removes a row of a key holds that key's lock, or an event that arrives while the head leaves would be parked for ever.
 */
export interface RetryTable {
  /** Puts an event aside until `afterMs` from now, or behind earlier ones of its key. */
  put(ctx: Context, key: string, envelope: Envelope, afterMs: number, failures: readonly Failure[]): Promise<void>;
  /** Puts an event behind earlier ones of its key. @returns false, and nothing is done, when there are none */
  park(ctx: Context, key: string, envelope: Envelope): Promise<boolean>;
  /** @returns up to `limit` events that are due; or a single one whose last attempt did not come to an end */
  claim(ctx: Context, limit: number): Promise<Claims>;
  /** Removes a claimed event and lets the next of its key come. `also` runs in the same transaction. */
  finish(ctx: Context, claimed: ClaimedRetry, also?: (tx: Transaction) => Promise<unknown>): Promise<void>;
  /**
   * An event is dead, and stands in the way of later ones of its key until somebody has dealt with its letter.
   * @param bury Makes the letter, in the same transaction; undefined when there is one already.
   */
  block(ctx: Context, key: string, envelope: Envelope, bury: Bury): Promise<void>;
  /** The same for a claimed event. */
  blockClaimed(ctx: Context, claimed: ClaimedRetry, bury: Bury): Promise<void>;
  /** A claimed event waits again. */
  postpone(ctx: Context, claimed: ClaimedRetry, afterMs: number, failure: Failure): Promise<void>;
  /** A claimed event was not tried: the attempt does not count. */
  giveBack(ctx: Context, claimed: ClaimedRetry): Promise<void>;
}

type Bury = (tx: Transaction) => Promise<bigint | undefined>;

/** A claim older than this is somebody's who died; above the time of a handler. Milliseconds. */
const CLAIM_MARGIN_MS = 20_000;

/** Held by whoever adds or removes a row of a key. Values: consumer, key. */
export const LOCK = `SELECT pg_advisory_xact_lock(hashtextextended($1 || '|' || $2, 0))`;

export const HAS_KEY = 'SELECT FROM souk.retry WHERE consumer = $1 AND key = $2 LIMIT 1';

const INSERT = `
  /* retry-put */
  INSERT INTO souk.retry (consumer, key, available_at, envelope, errors) VALUES ($1, $2, $3, $4, $5)`;

// What did not come back may have taken the process with it: it runs alone, so that it takes no others with it and they count no
// loss that is not theirs.
const CLAIM = `
  /* retry-claim */
  WITH lost AS MATERIALIZED (
    SELECT id FROM souk.retry
    WHERE consumer = $1 AND state = 'running' AND locked_until < clock_timestamp()
    ORDER BY lost, id LIMIT 1 FOR UPDATE SKIP LOCKED
  ), due AS MATERIALIZED (
    SELECT id FROM souk.retry
    WHERE consumer = $1 AND state = 'waiting' AND available_at <= $2 AND NOT EXISTS (SELECT FROM lost)
    ORDER BY available_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
  ), claimed AS (
    UPDATE souk.retry r
    SET state = 'running', attempts = r.attempts + 1, lost = r.lost + chosen.lost,
      locked_until = clock_timestamp() + $4::bigint * interval '1 ms'
    FROM (SELECT id, 1 AS lost FROM lost UNION ALL SELECT id, 0 FROM due) chosen WHERE r.id = chosen.id
    RETURNING r.id, r.key, r.attempts, r.lost::int AS lost, r.envelope, r.errors
  )
  SELECT c.id, c.key, c.attempts, c.lost, c.envelope, c.errors, EXISTS (SELECT FROM souk.retry WHERE consumer = $1) AS any,
    least(
      (SELECT available_at FROM souk.retry
        WHERE consumer = $1 AND state = 'waiting' AND available_at < 'infinity' ORDER BY available_at LIMIT 1),
      (SELECT locked_until FROM souk.retry WHERE consumer = $1 AND state = 'running' ORDER BY locked_until LIMIT 1)
    ) AS next
  FROM (SELECT) one LEFT JOIN claimed c ON true`;

// The number of attempts is the fence: a claim that ran out and was taken by another has a higher one.
const DELETE = `/* retry-finish */ DELETE FROM souk.retry WHERE id = $1 AND attempts = $2 AND state = 'running'`;

export const RELEASE_NEXT = `
  /* retry-next */
  UPDATE souk.retry SET available_at = $3
  WHERE id = (SELECT id FROM souk.retry WHERE consumer = $1 AND key = $2 ORDER BY id LIMIT 1)
    AND available_at = 'infinity' AND state = 'waiting'`;

const INSERT_BLOCKED = `
  /* retry-block */
  INSERT INTO souk.retry (consumer, key, state, available_at, envelope, dead_letter)
  VALUES ($1, $2, 'blocked', 'infinity', $3, $4)`;

const BLOCK = `
  /* retry-block */
  UPDATE souk.retry SET state = 'blocked', locked_until = NULL, available_at = 'infinity'
  WHERE id = $1 AND attempts = $2 AND state = 'running'`;

const NAME_LETTER = `/* retry-block */ UPDATE souk.retry SET dead_letter = $2 WHERE id = $1`;

const POSTPONE = `
  /* retry-postpone */
  UPDATE souk.retry SET state = 'waiting', locked_until = NULL, available_at = $3, errors = errors || $4::jsonb
  WHERE id = $1 AND attempts = $2 AND state = 'running'`;

const GIVE_BACK = `
  /* retry-give-back */
  UPDATE souk.retry SET state = 'waiting', locked_until = NULL, attempts = attempts - 1
  WHERE id = $1 AND attempts = $2 AND state = 'running'`;

interface ClaimRow {
  readonly id: bigint | null;
  readonly key: string;
  readonly attempts: number;
  readonly lost: number;
  readonly envelope: EnvelopeJson;
  readonly errors: readonly Failure[];
  readonly any: boolean;
  readonly next: Date | null;
}

export function createRetryTable(init: {
  readonly consumer: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly handlerMs: number;
}): RetryTable {
  const { consumer, db, runtime } = init;
  const inMs = (ms: number): Date => new Date(runtime.clock.now() + ms);

  const enqueue = (
    ctx: Context,
    key: string,
    envelope: Envelope,
    afterMs: number | undefined,
    failures: readonly Failure[],
  ) =>
    db.tx(ctx, async (tx) => {
      await tx.query(LOCK, [consumer, key]);
      // A statement of its own: only after the lock it sees what its last holder wrote.
      const isBehind = (await tx.query(HAS_KEY, [consumer, key])).rowCount > 0;
      if (!isBehind && afterMs === undefined) return false;
      const availableAt = isBehind ? 'infinity' : inMs(afterMs ?? 0);
      const json = JSON.stringify(toEnvelopeJson(envelope));
      await tx.query(INSERT, [consumer, key, availableAt, json, JSON.stringify(failures)]);
      return true;
    });

  return {
    put: async (ctx, key, envelope, afterMs, failures) => void (await enqueue(ctx, key, envelope, afterMs, failures)),
    park: (ctx, key, envelope) => enqueue(ctx, key, envelope, undefined, []),
    claim: async (ctx, limit) => {
      const lockMs = init.handlerMs + CLAIM_MARGIN_MS;
      const { rows } = await db.at(ctx).query<ClaimRow>(CLAIM, [consumer, inMs(0), limit, lockMs]);
      const claimed = rows.flatMap(({ id, key, attempts, lost, envelope, errors }) =>
        id === null ? [] : [{ id, key, attempts, lost, envelope: fromEnvelopeJson(envelope), failures: errors }],
      );
      const next = rows[0]?.next?.getTime();
      const nextMs = next === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next - runtime.clock.now());
      return { claimed, any: rows[0]?.any ?? false, nextMs };
    },
    finish: (ctx, { id, key, attempts }, also) =>
      db.tx(ctx, async (tx) => {
        await tx.query(LOCK, [consumer, key]);
        const { rowCount } = await tx.query(DELETE, [id, attempts]);
        if (rowCount === 0) return;
        await also?.(tx);
        await tx.query(RELEASE_NEXT, [consumer, key, inMs(0)]);
      }),
    block: (ctx, key, envelope, bury) =>
      db.tx(ctx, async (tx) => {
        await tx.query(LOCK, [consumer, key]);
        const letter = await bury(tx);
        // Delivered again after it died, it has its place already.
        if (letter === undefined) return;
        await tx.query(INSERT_BLOCKED, [consumer, key, JSON.stringify(toEnvelopeJson(envelope)), letter]);
      }),
    blockClaimed: (ctx, { id, key, attempts }, bury) =>
      db.tx(ctx, async (tx) => {
        await tx.query(LOCK, [consumer, key]);
        if ((await tx.query(BLOCK, [id, attempts])).rowCount === 0) return;
        const letter = await bury(tx);
        if (letter !== undefined) await tx.query(NAME_LETTER, [id, letter]);
        else {
          await tx.query('/* retry-finish */ DELETE FROM souk.retry WHERE id = $1', [id]);
          await tx.query(RELEASE_NEXT, [consumer, key, inMs(0)]);
        }
      }),
    postpone: async (ctx, { id, attempts }, afterMs, failure) => {
      await db.at(ctx).query(POSTPONE, [id, attempts, inMs(afterMs), JSON.stringify([failure])]);
    },
    giveBack: async (ctx, { id, attempts }) => {
      await db.at(ctx).query(GIVE_BACK, [id, attempts]);
    },
  };
}

/** @param error Its text holds no personal data, by the rules of our errors; causes stay in the log. */
export const failureOf = (error: SoukError, runtime: Runtime): Failure => ({
  at: new Date(runtime.clock.now()).toISOString(),
  reason: error.reason,
  error: error.message,
});
