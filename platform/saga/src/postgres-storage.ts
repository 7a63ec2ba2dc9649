import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';
import { sagaErrors } from './errors.ts';
import type { JournalRow } from './journal.ts';
import type { SagaStorage } from './storage.ts';

/** Longest wait for one statement, in milliseconds: below the self-fence, so that a hanging database is noticed in time. */
const STATEMENT_MS = 5_000;

const START = `
WITH s AS (
  INSERT INTO souk.saga (id, name, version, shape, status, direction, owner, epoch, claims, seq, wake_at)
  VALUES ($1, $2, $3, $4, CASE WHEN $5::text IS NULL THEN 'READY' ELSE 'RUNNING' END, 'forward', $5,
          CASE WHEN $5::text IS NULL THEN 0 ELSE 1 END, 0, 1, $6)
  ON CONFLICT (id) DO NOTHING
  RETURNING id, epoch
)
INSERT INTO souk.saga_journal (saga_id, seq, kind, epoch, body)
SELECT s.id, 1, $7, s.epoch, $8::jsonb FROM s`;

interface ClaimRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly shape: string;
  readonly epoch: bigint;
  readonly claims: number;
  readonly interrupted: boolean;
  readonly records: readonly JournalRow[];
}

/** @param root The engine's own context: what the engine writes belongs to no caller. */
export function postgresStorage(db: Database, root: Context): SagaStorage {
  const query = async <TRow>(text: string, values: readonly unknown[]): Promise<TRow[]> => {
    using ctx = root.with({ timeoutMs: STATEMENT_MS });
    return (await db.at(ctx).query<TRow>(text, values)).rows;
  };

  return {
    register: async (lease, place, leaseMs) => {
      await query(
        `INSERT INTO souk.saga_worker (worker_id, epoch, state, expires_at, host, pid, process_started_at)
         VALUES ($1, $2, 'live', clock_timestamp() + $3::int8 * interval '1 millisecond', $4, $5, $6)`,
        [lease.workerId, lease.epoch, leaseMs, place.host ?? null, place.pid, place.startedAt],
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
    write: async (lease, writes, extendMs) => {
      const [row] = await query<{ live: boolean; accepted: string[] }>(
        'SELECT live, accepted FROM souk.saga_write($1, $2, $3::json, $4)',
        [lease.workerId, lease.epoch, `[${writes.join(',')}]`, extendMs ?? null],
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
      return rows.map((row) => ({ ...row, epoch: Number(row.epoch), signals: [] }));
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
    start: async (tx, start) => {
      const { rowCount } = await tx.query(START, [
        start.id,
        start.name,
        start.version,
        start.shape,
        start.owner ?? null,
        new Date(start.wakeAt),
        start.record.kind,
        JSON.stringify(start.record.body),
      ]);
      return rowCount > 0;
    },
    signal: () => Promise.reject(sagaErrors.STOPPED()),
    pendingSignals: () => Promise.resolve([]),
  };
}
