import type { Context, Logger, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { OperatorNote } from './dead-letters.ts';
import { RECORD_ACTION } from './operator-actions.ts';

/** What one consumer does, and what waits for it. Counts stop at 10,001. */
export interface ConsumerState {
  readonly consumer: string;
  readonly paused: boolean;
  /** Who paused or resumed it last, why, and when. */
  readonly operator: string | undefined;
  readonly note: string | undefined;
  readonly since: Date | undefined;
  /** Events that wait for a retry, or behind one that does. */
  readonly retrying: number;
  /** Dead letters that wait for a person. */
  readonly dead: number;
}

/** A key whose later events wait behind a dead letter. */
export interface BlockedKey {
  readonly source: string;
  readonly key: string;
  readonly deadLetterId: bigint;
  readonly type: string;
  readonly reason: string;
  readonly deadAt: Date;
  /** Events parked behind it. */
  readonly waiting: number;
}

/** Lets operators pause a consumer. Kept in its database: it holds in all processes, and after a restart. */
export interface ConsumerControl {
  state(ctx: Context): Promise<ConsumerState>;
  /** Other processes heed it within `statsMs`. Paused twice, it is paused once. */
  pause(ctx: Context, note: OperatorNote): Promise<ConsumerState>;
  resume(ctx: Context, note: OperatorNote): Promise<ConsumerState>;
  /** Those that block most first. @param limit @default 100 */
  blockedKeys(ctx: Context, limit?: number): Promise<readonly BlockedKey[]>;
}

export interface ConsumerControlInit {
  readonly service: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Told at once of a change made here. */
  readonly onChange?: (paused: boolean) => void;
}

/** More are not counted. */
export const COUNTED = 10_001;

const SET = `
  /* consumer-set */
  INSERT INTO souk.consumer_state AS s (consumer, paused, operator, note, since) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (consumer) DO UPDATE SET paused = $2, operator = $3, note = $4, since = $5 WHERE s.paused <> $2`;

const STATE = `
  /* consumer-state */
  SELECT coalesce(s.paused, false) AS paused, s.operator, s.note, s.since,
    (SELECT count(*)::int FROM (SELECT FROM souk.retry WHERE consumer = $1 AND state <> 'blocked' LIMIT ${COUNTED}) r) AS retrying,
    (SELECT count(*)::int FROM (SELECT FROM souk.dead_letter WHERE consumer = $1 AND status = 'dead' LIMIT ${COUNTED}) d) AS dead
  FROM (SELECT) one LEFT JOIN souk.consumer_state s ON s.consumer = $1`;

const BLOCKED = `
  /* consumer-blocked */
  SELECT d.source, d.key, d.id AS "deadLetterId", d.type, d.reason, d.dead_at AS "deadAt",
    (SELECT count(*)::int FROM souk.retry w WHERE w.consumer = r.consumer AND w.key = r.key AND w.id > r.id) AS waiting
  FROM souk.retry r JOIN souk.dead_letter d ON d.id = r.dead_letter
  WHERE r.consumer = $1 AND r.state = 'blocked' ORDER BY waiting DESC, d.id LIMIT $2`;

interface StateRow {
  readonly paused: boolean;
  readonly operator: string | null;
  readonly note: string | null;
  readonly since: Date | null;
  readonly retrying: number;
  readonly dead: number;
}

export function createConsumerControl(init: ConsumerControlInit): ConsumerControl {
  const { service, db, runtime, log } = init;

  const state = async (ctx: Context): Promise<ConsumerState> => {
    const [row] = (await db.at(ctx).query<StateRow>(STATE, [service])).rows;
    return {
      consumer: service,
      paused: row?.paused ?? false,
      operator: row?.operator ?? undefined,
      note: row?.note ?? undefined,
      since: row?.since ?? undefined,
      retrying: row?.retrying ?? 0,
      dead: row?.dead ?? 0,
    };
  };

  const set = async (ctx: Context, paused: boolean, { operator, note }: OperatorNote): Promise<ConsumerState> => {
    const at = new Date(runtime.clock.now());
    const changed = await db.tx(ctx, async (tx) => {
      const { rowCount } = await tx.query(SET, [service, paused, operator, note, at]);
      if (rowCount > 0) tx.defer(RECORD_ACTION, [at, service, operator, paused ? 'paused' : 'resumed', service, note]);
      return rowCount > 0;
    });
    init.onChange?.(paused);
    if (changed) log.info(paused ? 'a consumer was paused' : 'a consumer was resumed', { service, operator });
    return state(ctx);
  };

  return {
    state,
    pause: (ctx, note) => set(ctx, true, note),
    resume: (ctx, note) => set(ctx, false, note),
    blockedKeys: async (ctx, limit = 100) => (await db.at(ctx).query<BlockedKey>(BLOCKED, [service, limit])).rows,
  };
}
