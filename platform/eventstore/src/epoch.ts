import type { Context } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
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

const LOOK = `
  /* check-epoch */
  SELECT m.epoch, m.system_identifier IS NOT NULL AS known,
    m.system_identifier <> s.system_identifier AS cluster,
    m.timeline <> c.timeline_id AS timeline,
    EXISTS (
      SELECT FROM souk.es_event e WHERE (e.epoch, e.xid) >= (m.epoch, pg_snapshot_xmax(pg_current_snapshot()))
    ) AS transactions
  FROM souk.es_meta m, pg_control_system() s, pg_control_checkpoint() c`;

const NOTE = `
  UPDATE souk.es_meta m
  SET epoch = m.epoch + $1, system_identifier = s.system_identifier, timeline = c.timeline_id
  FROM pg_control_system() s, pg_control_checkpoint() c RETURNING m.epoch`;

/** Whoever has read the old epoch ends before; whoever comes later waits before it reads, and then reads the new one. */
const STOP_WRITERS = 'LOCK TABLE souk.es_meta IN ACCESS EXCLUSIVE MODE';

/**
 * Begins a new epoch when the store was moved or restored. To be called at every start, before anything is appended; one query when
 * nothing has changed. Several processes may do it at once: one of them begins the epoch.
 */
export async function checkEpoch(db: Database, ctx: Context): Promise<EpochCheck> {
  const before = await look(db.at(ctx));
  if (before.known && changeOf(before) === undefined) return { epoch: before.epoch, changed: undefined };
  const check = await db.tx(ctx, async (tx: Transaction): Promise<EpochCheck> => {
    await tx.query(STOP_WRITERS);
    const row = await look(tx);
    const changed = changeOf(row);
    const { rows } = await tx.query<{ epoch: number }>(NOTE, [changed === undefined ? 0 : 1]);
    return { epoch: rows[0]?.epoch ?? row.epoch, changed };
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

async function look(sql: Sql): Promise<MetaRow> {
  const row = (await sql.query<MetaRow>(LOOK)).rows[0];
  if (row === undefined) throw eventStoreErrors.META_MISSING();
  return row;
}

function changeOf({ cluster, timeline, transactions }: MetaRow): EpochChange | undefined {
  if (cluster) return 'cluster';
  if (timeline) return 'timeline';
  return transactions ? 'transactions' : undefined;
}
