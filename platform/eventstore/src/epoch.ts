import { type Context, hasReason } from '@souk/kernel';
import type { Database, Sql } from '@souk/store';
import { eventStoreErrors } from './errors.ts';

// Positions begin with the id of a transaction. A database that was dumped and restored, upgraded, or rolled back to an older state counts
// transactions anew: new events would come before old ones, and readers would never see them. An epoch in front of the id keeps the order.

/** Why a new epoch began. */
export type EpochChange =
  /** The store lives in another cluster: dumped and restored, or upgraded. */
  | 'cluster'
  /** A standby was promoted, or the cluster was restored to a point in time. */
  | 'timeline'
  /** Events of transactions that this cluster has not had yet. */
  | 'transactions';

export interface EpochCheck {
  readonly epoch: number;
  /** Undefined when all is as it was. */
  readonly changed: EpochChange | undefined;
}

interface MetaRow {
  readonly epoch: number;
  readonly known: boolean;
  readonly cluster: boolean;
  readonly timeline: boolean;
  readonly transactions: boolean;
}

/** Where the store lives, as the cluster says. */
const HERE = 'pg_control_system() s, pg_control_checkpoint() c';
/** For roles that may not ask: what is known stays, and only events from the future tell. */
const SOMEWHERE = `(VALUES (NULL::bigint)) s (system_identifier), (VALUES (NULL::integer)) c (timeline_id)`;

const look = (where: string): string => `
  /* check-epoch */
  SELECT m.epoch, m.system_identifier IS NOT NULL OR s.system_identifier IS NULL AS known,
    coalesce(m.system_identifier <> s.system_identifier, false) AS cluster,
    coalesce(m.timeline <> c.timeline_id, false) AS timeline,
    EXISTS (
      SELECT FROM souk.es_event e WHERE (e.epoch, e.xid) >= (m.epoch, pg_snapshot_xmax(pg_current_snapshot()))
    ) AS transactions
  FROM souk.es_meta m, ${where}`;

const note = (where: string): string => `
  UPDATE souk.es_meta m
  SET epoch = m.epoch + $1, system_identifier = coalesce(s.system_identifier, m.system_identifier),
    timeline = coalesce(c.timeline_id, m.timeline)
  FROM ${where} RETURNING m.epoch`;

const QUERIES = [
  { look: look(HERE), note: note(HERE) },
  { look: look(SOMEWHERE), note: note(SOMEWHERE) },
] as const;

/** Whoever has read the old epoch ends before; whoever comes later waits before it reads, and then reads the new one. */
const STOP_WRITERS = 'LOCK TABLE souk.es_meta IN ACCESS EXCLUSIVE MODE';

/**
 * Begins a new epoch when the store was moved or restored. To be called at every start, before anything is appended; one query when
 * nothing has changed. Several processes may do it at once: one of them begins the epoch.
 */
export async function checkEpoch(db: Database, ctx: Context): Promise<EpochCheck> {
  const check = await checkWith(db, ctx, QUERIES[0]).catch((error: unknown) => {
    if (!hasReason(error, 'STORE_ACCESS_DENIED')) throw error;
    ctx.log.warn('this role may not call pg_control_system: a move to another cluster shows only by its transactions', {
      database: db.name,
    });
    return checkWith(db, ctx, QUERIES[1]);
  });
  if (check.changed !== undefined) {
    ctx.log.warn('the event store was moved or restored: a new epoch of positions begins', {
      database: db.name,
      epoch: check.epoch,
      changed: check.changed,
    });
  }
  return check;
}

async function checkWith(
  db: Database,
  ctx: Context,
  queries: { readonly look: string; readonly note: string },
): Promise<EpochCheck> {
  const before = await metaOf(db.at(ctx), queries.look);
  if (before.known && changeOf(before) === undefined) return { epoch: before.epoch, changed: undefined };
  return db.tx(ctx, async (tx) => {
    await tx.query(STOP_WRITERS);
    const row = await metaOf(tx, queries.look);
    const changed = changeOf(row);
    const { rows } = await tx.query<{ epoch: number }>(queries.note, [changed === undefined ? 0 : 1]);
    return { epoch: rows[0]?.epoch ?? row.epoch, changed };
  });
}

async function metaOf(sql: Sql, text: string): Promise<MetaRow> {
  const row = (await sql.query<MetaRow>(text)).rows[0];
  if (row === undefined) throw eventStoreErrors.META_MISSING();
  return row;
}

function changeOf({ cluster, timeline, transactions }: MetaRow): EpochChange | undefined {
  if (cluster) return 'cluster';
  if (timeline) return 'timeline';
  return transactions ? 'transactions' : undefined;
}
