import type { Context, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';

/** Parts into which the keys of an outbox are divided. Fixed by a column of the outbox. */
export const SLOTS = 16;

export interface RelaySlotsInit {
  readonly db: Database;
  readonly runtime: Runtime;
  /** A holder that is silent for so long has lost its slots. Milliseconds. */
  readonly leaseMs: number;
  /** Rows of a slot that a relay may have had in its hands when it died. */
  readonly maxInFlight: number;
}

/** What a look at the table of leases says. */
export interface SlotsView {
  /** Slots that somebody else has by now. */
  readonly lost: readonly number[];
  /** Other processes that relay this outbox. */
  readonly others: number;
  /** Slots that nobody has. */
  readonly free: number;
  /** Position of the newest row in the outbox. */
  readonly newest: bigint | undefined;
}

/**
 * The slots of an outbox that this process relays. The database's clock decides who has a slot; its epoch goes up with each change of
 * hands and is part of every removal, so that a holder that slept through its end removes nothing.
 */
export interface RelaySlots {
  /** Epochs of the slots we have, those that we are about to give back included. */
  readonly held: ReadonlyMap<number, bigint>;
  /** False some time before anybody else can have our slots: what we have is not sent any more. */
  readonly isValid: boolean;
  /** Milliseconds until `renew` should be called. */
  readonly dueInMs: number;
  /** Says that we live, keeps our slots, and looks at the others. */
  renew(ctx: Context): Promise<SlotsView>;
  /**
   * Takes up to `limit` slots that nobody has. Rows of a slot whose holder did not let go of it, but died, count one more send.
   * @returns the slots
   */
  acquire(ctx: Context, limit: number): Promise<readonly number[]>;
  /** Lets others have these slots at once. */
  release(ctx: Context, slots: readonly number[]): Promise<void>;
  /** Removes acknowledged rows from the outbox, each only while its slot is still ours. */
  remove(ctx: Context, positions: readonly bigint[]): Promise<void>;
  /** Lets go of everything: others see one process less. */
  leave(ctx: Context): Promise<void>;
}

const JOIN = `
  /* relay-join */
  INSERT INTO souk.relay_member (owner, alive_until) VALUES ($1, clock_timestamp() + $2::bigint * interval '1 ms')`;

// No row: we were silent for too long, and somebody took our place among the living away.
const RENEW = `
  /* relay-renew */
  WITH me AS (
    UPDATE souk.relay_member SET alive_until = clock_timestamp() + $2::bigint * interval '1 ms' WHERE owner = $1 RETURNING owner
  ), alive AS (
    SELECT owner FROM souk.relay_member WHERE alive_until > clock_timestamp() OR owner = $1
  )
  SELECT ARRAY(SELECT slot || ':' || epoch FROM souk.relay_lease WHERE owner = $1) AS held,
    (SELECT count(*)::int - 1 FROM alive) AS others,
    (SELECT count(*)::int FROM souk.relay_lease WHERE owner IS NULL OR owner NOT IN (SELECT owner FROM alive)) AS free,
    (SELECT pos FROM souk.outbox ORDER BY pos DESC LIMIT 1) AS newest
  FROM me`;

// Who is taken for dead loses its row in the same statement, so that it cannot renew a moment later and believe itself alive.
// What is free is decided before anything is locked, and the epoch says whether it still is: a check that PostgreSQL repeats for a row that
// has changed meanwhile would see the new holder of a slot, but not that it has joined.
const ACQUIRE = `
  /* relay-acquire */
  WITH dead AS (
    DELETE FROM souk.relay_member WHERE alive_until < clock_timestamp() AND owner <> $1 RETURNING owner
  ), candidate AS MATERIALIZED (
    SELECT slot, epoch, owner IS NOT NULL AS died FROM souk.relay_lease l
    WHERE owner IS NULL OR owner IN (SELECT owner FROM dead)
      OR NOT EXISTS (SELECT FROM souk.relay_member m WHERE m.owner = l.owner)
  ), free AS MATERIALIZED (
    SELECT l.slot, c.died FROM souk.relay_lease l JOIN candidate c ON l.slot = c.slot AND l.epoch = c.epoch
    ORDER BY l.slot LIMIT $2 FOR UPDATE OF l SKIP LOCKED
  ), taken AS (
    UPDATE souk.relay_lease l SET owner = $1, epoch = l.epoch + 1 FROM free WHERE l.slot = free.slot RETURNING l.slot, l.epoch
  ), counted AS (
    UPDATE souk.outbox o SET sends = o.sends + 1
    FROM (
      SELECT r.pos FROM free, LATERAL (
        SELECT pos FROM souk.outbox WHERE slot = free.slot ORDER BY pos LIMIT $3) r
      WHERE free.died
    ) sent
    WHERE o.pos = sent.pos AND o.sends < 100
  )
  SELECT slot::int AS slot, epoch FROM taken`;

const RELEASE = `
  /* relay-release */
  UPDATE souk.relay_lease l SET owner = NULL
  FROM unnest($2::smallint[], $3::bigint[]) AS mine (slot, epoch)
  WHERE l.slot = mine.slot AND l.epoch = mine.epoch AND l.owner = $1`;

const REMOVE = `
  /* relay-acknowledge */
  WITH ours AS MATERIALIZED (
    SELECT l.slot FROM souk.relay_lease l JOIN unnest($2::smallint[], $3::bigint[]) AS mine (slot, epoch)
      ON l.slot = mine.slot AND l.epoch = mine.epoch
    WHERE l.owner = $1
  )
  DELETE FROM souk.outbox WHERE pos = ANY ($4::bigint[]) AND slot = ANY (ARRAY(SELECT slot FROM ours))`;

const LEAVE = `
  /* relay-leave */
  DELETE FROM souk.relay_member WHERE owner = $1`;

interface RenewRow {
  readonly held: readonly string[];
  readonly others: number;
  readonly free: number;
  readonly newest: bigint | null;
}

export function createRelaySlots({ db, runtime, leaseMs, maxInFlight }: RelaySlotsInit): RelaySlots {
  const { clock } = runtime;
  /** Another one after each time we were taken for dead. */
  let owner: string | undefined;
  const held = new Map<number, bigint>();
  /** By our own clock, counted from before the question was sent: it ends before the database's does. */
  let renewedMs = Number.NEGATIVE_INFINITY;
  const epochs = (slots: readonly number[]) => slots.map((slot) => held.get(slot) ?? 0n);

  const renew = async (ctx: Context): Promise<SlotsView> => {
    const askedMs = clock.monotonicMs();
    if (owner === undefined) {
      const joining = runtime.ids.uuid();
      await db.at(ctx).query(JOIN, [joining, leaseMs]);
      owner = joining;
    }
    const [row] = (await db.at(ctx).query<RenewRow>(RENEW, [owner, leaseMs])).rows;
    if (row === undefined) {
      const lost = [...held.keys()];
      owner = undefined;
      held.clear();
      const view = await renew(ctx);
      return { ...view, lost };
    }
    const kept = new Set(row.held);
    const lost = [...held].filter(([slot, epoch]) => !kept.has(`${slot}:${epoch}`)).map(([slot]) => slot);
    for (const slot of lost) held.delete(slot);
    renewedMs = askedMs;
    return { lost, others: row.others, free: row.free, newest: row.newest ?? undefined };
  };

  return {
    held,
    get isValid() {
      return clock.monotonicMs() - renewedMs < leaseMs * 0.75;
    },
    get dueInMs() {
      return Math.max(0, renewedMs + leaseMs / 4 - clock.monotonicMs());
    },
    renew,
    acquire: async (ctx, limit) => {
      const { rows } = await db.at(ctx).query<{ slot: number; epoch: bigint }>(ACQUIRE, [owner, limit, maxInFlight]);
      for (const { slot, epoch } of rows) held.set(slot, epoch);
      return rows.map(({ slot }) => slot);
    },
    release: async (ctx, slots) => {
      if (slots.length === 0) return;
      await db.at(ctx).query(RELEASE, [owner, slots, epochs(slots)]);
      for (const slot of slots) held.delete(slot);
    },
    remove: async (ctx, positions) => {
      const slots = [...held.keys()];
      await db.at(ctx).query(REMOVE, [owner, slots, epochs(slots), positions]);
    },
    leave: async (ctx) => {
      await db.at(ctx).query(LEAVE, [owner]);
      owner = undefined;
    },
  };
}
