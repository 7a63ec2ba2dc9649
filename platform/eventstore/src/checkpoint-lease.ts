import type { Context, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import {
  CHECKPOINT_COLUMNS,
  type Checkpoint,
  type CheckpointRow,
  type HeldPart,
  type Part,
  toCheckpoint,
} from './checkpoint.ts';

/** A part, as everybody sees it. */
export interface SeenPart extends Checkpoint {
  /** Whose tables these are: definitions of another version do not touch them. */
  readonly version: number;
  readonly state: 'live' | 'building';
  readonly caughtUp: boolean;
  readonly mine: boolean;
  /** Nobody who lives has it. */
  readonly free: boolean;
}

export interface LeaseView {
  /** Processes that live, this one included. */
  readonly members: number;
  readonly parts: readonly SeenPart[];
}

/**
 * Which parts this process works on. The database's clock decides who lives; a part goes to another process with a higher fence, so that a
 * holder that slept through its end moves nothing.
 */
export interface PartLeases {
  /** Says that we live, and looks at the parts of these projections and subscriptions. */
  renew(ctx: Context, names: readonly string[]): Promise<LeaseView>;
  /** Takes up to `limit` of these parts, if nobody who lives has them. */
  acquire(ctx: Context, parts: readonly Part[], limit: number): Promise<readonly Checkpoint[]>;
  /** Lets others have these parts at once. */
  release(ctx: Context, parts: readonly HeldPart[]): Promise<void>;
  /** Others see one process less. */
  leave(ctx: Context): Promise<void>;
}

const JOIN = `
  /* followers-join */
  INSERT INTO souk.es_member (owner, alive_until) VALUES ($1, clock_timestamp() + $2::bigint * interval '1 ms')`;

// No row: we were silent for too long, and were taken for dead.
const RENEW = `
  /* followers-renew */
  WITH me AS (
    UPDATE souk.es_member SET alive_until = clock_timestamp() + $2::bigint * interval '1 ms' WHERE owner = $1 RETURNING owner
  ), alive AS MATERIALIZED (
    SELECT owner FROM souk.es_member WHERE alive_until > clock_timestamp() OR owner = $1
  )
  SELECT (SELECT count(*)::int FROM alive) AS members, ${CHECKPOINT_COLUMNS}, c.caught_up AS "caughtUp",
    coalesce(c.owner = $1, false) AS mine, coalesce(c.owner NOT IN (SELECT owner FROM alive), true) AS free, g.version, g.state
  FROM me LEFT JOIN (souk.es_generation g JOIN souk.es_checkpoint c USING (name, generation)) ON g.name = ANY ($3::text[])`;

// Who is taken for dead loses its row in the same statement, so that it cannot renew a moment later and believe itself alive.
const ACQUIRE = `
  /* followers-acquire */
  WITH dead AS (
    DELETE FROM souk.es_member WHERE alive_until < clock_timestamp() AND owner <> $1 RETURNING owner
  ), taken AS MATERIALIZED (
    SELECT c.name, c.generation, c.part FROM souk.es_checkpoint c
    JOIN unnest($2::text[], $3::int[], $4::int[]) AS w (name, generation, part) USING (name, generation, part)
    WHERE c.owner IS NULL OR c.owner IN (SELECT owner FROM dead)
      OR NOT EXISTS (SELECT FROM souk.es_member m WHERE m.owner = c.owner)
    ORDER BY c.name, c.generation, c.part LIMIT $5 FOR UPDATE OF c SKIP LOCKED
  )
  UPDATE souk.es_checkpoint c SET owner = $1, fence = c.fence + 1 FROM taken t
  WHERE c.name = t.name AND c.generation = t.generation AND c.part = t.part
  RETURNING ${CHECKPOINT_COLUMNS}`;

const RELEASE = `
  /* followers-release */
  UPDATE souk.es_checkpoint c SET owner = NULL
  FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[]) AS w (name, generation, part, fence)
  WHERE c.name = w.name AND c.generation = w.generation AND c.part = w.part AND c.fence = w.fence`;

const LEAVE = `
  /* followers-leave */
  DELETE FROM souk.es_member WHERE owner = $1`;

type RenewRow = CheckpointRow & Omit<SeenPart, keyof Checkpoint> & { readonly members: number };

/** @param init.leaseMs A process that is silent for so long is dead. */
export function createPartLeases(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly leaseMs: number;
}): PartLeases {
  const { db, runtime, leaseMs } = init;
  /** Another one after each time we were taken for dead. */
  let owner: string | undefined;

  const renew = async (ctx: Context, names: readonly string[]): Promise<LeaseView> => {
    if (owner === undefined) {
      const joining = runtime.ids.uuid();
      await db.at(ctx).query(JOIN, [joining, leaseMs]);
      owner = joining;
    }
    const { rows } = await db.at(ctx).query<RenewRow>(RENEW, [owner, leaseMs, names]);
    const [first] = rows;
    if (first === undefined) {
      owner = undefined;
      return renew(ctx, names);
    }
    const parts = rows
      .filter(({ name }) => name !== null)
      .map(({ members: _, ...row }) => ({ ...row, ...toCheckpoint(row) }));
    return { members: first.members, parts };
  };

  return {
    renew,
    acquire: async (ctx, parts, limit) => {
      if (parts.length === 0 || limit < 1) return [];
      const columns = [
        parts.map(({ name }) => name),
        parts.map(({ generation }) => generation),
        parts.map(({ part }) => part),
      ];
      return (await db.at(ctx).query<CheckpointRow>(ACQUIRE, [owner, ...columns, limit])).rows.map(toCheckpoint);
    },
    release: async (ctx, parts) => {
      if (parts.length === 0) return;
      await db
        .at(ctx)
        .query(RELEASE, [
          parts.map(({ name }) => name),
          parts.map(({ generation }) => generation),
          parts.map(({ part }) => part),
          parts.map(({ fence }) => fence),
        ]);
    },
    leave: async (ctx) => {
      if (owner === undefined) return;
      await db.at(ctx).query(LEAVE, [owner]);
      owner = undefined;
    },
  };
}
