import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';
import { jsonList } from './encode-write.ts';
import { sagaErrors } from './errors.ts';
import type { JournalRow } from './journal.ts';
import type { SagaStorage, SignalRow } from './storage.ts';

/** Longest wait for one statement, in milliseconds: below the self-fence, so that a hanging database is noticed in time. */
const STATEMENT_MS = 5_000;

interface ClaimRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly shape: string;
  readonly epoch: bigint;
  readonly claims: number;
  readonly interrupted: boolean;
  readonly records: readonly JournalRow[];
  readonly signals: readonly SignalRow[] | null;
}

/** @param root The engine's own context: what the engine writes belongs to no caller. */
export function postgresStorage(db: Database, root: Context): SagaStorage {
  const query = async <TRow>(text: string, values: readonly unknown[]): Promise<TRow[]> => {
    using ctx = root.with({ timeoutMs: STATEMENT_MS });
    return (await db.at(ctx).query<TRow>(text, values)).rows;
  };

  return {
    register: async (lease, place, leaseMs, kinds) => {
      await query(
        `INSERT INTO souk.saga_worker (worker_id, epoch, state, expires_at, host, pid, process_started_at, kinds)
         VALUES ($1, $2, 'live', clock_timestamp() + $3::int8 * interval '1 millisecond', $4, $5, $6, $7)`,
        [lease.workerId, lease.epoch, leaseMs, place.host ?? null, place.pid, place.startedAt, kinds],
      );
    },
    neighbours: (host) =>
      query(
        `SELECT worker_id AS "workerId", host, pid, process_started_at AS "startedAt"
           FROM souk.saga_worker WHERE state = 'live' AND host = $1`,
        [host],
      ),
    takeOver: async (workerIds, nowMs) => {
      const rows = await query<{ freed: number }>('SELECT souk.saga_take_over($1::text[], $2) AS freed', [
        workerIds,
        new Date(nowMs),
      ]);
      return rows[0]?.freed ?? 0;
    },
    write: async (lease, writes, { extendMs, again, nowMs }) => {
      const [row] = await query<{ live: boolean; accepted: string[] }>(
        `/* saga-write */
         SELECT live, accepted FROM souk.saga_write($1, $2, $3, $4, $5, $6::json, $7::json, $8::json, $9::json)`,
        [
          lease.workerId,
          lease.epoch,
          extendMs ?? null,
          again,
          new Date(nowMs),
          jsonList(writes.map((write) => write.start)),
          jsonList(writes.map((write) => write.head)),
          jsonList(writes.map((write) => write.records)) ?? '[]',
          jsonList(writes.map((write) => write.extra)),
        ],
      );
      return row ?? { live: false, accepted: [] };
    },
    claim: async (lease, kinds, nowMs, limit) => {
      const rows = await query<ClaimRow>('SELECT * FROM souk.saga_claim($1, $2, $3::text[], $4, $5)', [
        lease.workerId,
        lease.epoch,
        kinds,
        new Date(nowMs),
        limit,
      ]);
      return rows.map((row) => ({ ...row, epoch: Number(row.epoch), signals: row.signals ?? [] }));
    },
    owned: async (lease) => {
      const rows = await query<{ id: string; epoch: bigint }>(
        `SELECT id, epoch FROM souk.saga WHERE status = 'RUNNING' AND owner = $1`,
        [lease.workerId],
      );
      return rows.map((row) => ({ id: row.id, epoch: Number(row.epoch) }));
    },
    release: async (lease, sagas, nowMs) => {
      await query(
        `UPDATE souk.saga g SET status = 'READY', owner = NULL, wake_at = $4
           FROM unnest($2::text[], $3::int8[]) AS o (id, epoch)
          WHERE g.id = o.id AND g.epoch = o.epoch AND g.status = 'RUNNING' AND g.owner = $1`,
        [lease.workerId, sagas.map((saga) => saga.id), sagas.map((saga) => saga.epoch), new Date(nowMs)],
      );
    },
    stuck: async () => {
      const rows = await query<{ name: string; count: bigint }>(
        `SELECT name, count(*) AS count FROM souk.saga WHERE status = 'STUCK' GROUP BY name`,
        [],
      );
      return new Map(rows.map((row) => [row.name, Number(row.count)]));
    },
    parkOrphans: async (nowMs, afterMs) => {
      // The texts are those of the error, with places for what only the database knows.
      const { code, reason, message } = sagaErrors.DEFINITION_GONE({ saga: '%1$s', version: '%2$s' });
      const rows = await query<{ parked: number }>('SELECT souk.saga_park_orphans($1, $2, $3) AS parked', [
        new Date(nowMs),
        afterMs,
        JSON.stringify({ code, reason, message }),
      ]);
      return rows[0]?.parked ?? 0;
    },
    start: async (tx, start) => {
      const { rows } = await tx.query<{ begun: string[] }>('SELECT souk.saga_begin($1::json) AS begun', [
        JSON.stringify([start]),
      ]);
      return rows[0]?.begun.length === 1;
    },
    signal: async (sql, signals, nowMs) => {
      await sql.query('SELECT souk.saga_send($1::json, $2)', [JSON.stringify(signals), new Date(nowMs)]);
    },
    pendingSignals: (lease) =>
      query<SignalRow>(
        `SELECT n.saga_id AS "sagaId", n.name, n.signal_id AS "signalId", n.body
           FROM souk.saga_signal n JOIN souk.saga g ON g.id = n.saga_id
          WHERE NOT n.taken AND g.status = 'RUNNING' AND g.owner = $1
          ORDER BY n.at, n.signal_id`,
        [lease.workerId],
      ),
  };
}
