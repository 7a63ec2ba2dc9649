import type { Sql } from '@souk/store';
import type { SagaStatus } from './sagas.ts';

/** A saga, in a line. */
export interface SagaLine {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  /** The step it rests at: undefined while it runs and when it has ended. */
  readonly step: string | undefined;
  /** Records in its journal. */
  readonly seq: number;
  /** What it is stuck on, or why it turned back, or how its last attempt failed; as of when it last came to rest. */
  readonly error: { readonly code: string; readonly reason: string } | undefined;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  readonly parent: string | undefined;
  readonly startedAt: Date;
  readonly updatedAt: Date;
  readonly wakeAt: Date | undefined;
  readonly deadlineAt: Date | undefined;
  /** The worker that runs it. */
  readonly owner: string | undefined;
  /** Times it was claimed since its last record. */
  readonly claims: number;
}

/** Which sagas. What is left out does not matter. */
export interface SagaFilter {
  readonly status?: SagaStatus | undefined;
  readonly name?: string | undefined;
  readonly version?: number | undefined;
  readonly step?: string | undefined;
  /** Code or reason of the error. */
  readonly error?: string | undefined;
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
  /** Began before that. */
  readonly startedBefore?: Date | undefined;
  /** Has not changed since then. */
  readonly unchangedSince?: Date | undefined;
}

interface SagaRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly shape: string;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  readonly step: string | null;
  readonly seq: number;
  readonly epoch: bigint;
  readonly error_code: string | null;
  readonly error_reason: string | null;
  readonly key: string | null;
  readonly tenant: string | null;
  readonly parent: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly wake_at: Date | null;
  readonly deadline_at: Date | null;
  readonly owner: string | null;
  readonly claims: number;
}

const COLUMNS = `g.id, g.name, g.version, g.shape, g.status, g.direction, g.step, g.seq, g.epoch, g.error_code, g.error_reason, g.key, g.tenant,
  g.parent, g.created_at, g.updated_at, g.wake_at, g.deadline_at, g.owner, g.claims`;

/**
 * The planner sees null parameters as such: with a plan per call it takes the index of whatever is given, and otherwise that of
 * `created_at`, in the order of the answer.
 */
const LIST = `
  /* list-sagas */
  SELECT ${COLUMNS} FROM souk.saga g
   WHERE ($1::text IS NULL OR g.status = $1) AND ($2::text IS NULL OR g.name = $2) AND ($3::int4 IS NULL OR g.version = $3)
     AND ($4::text IS NULL OR g.step = $4) AND ($5::text IS NULL OR g.error_code = $5 OR g.error_reason = $5)
     AND ($6::text IS NULL OR g.key = $6) AND ($7::text IS NULL OR g.tenant = $7)
     AND ($8::timestamptz IS NULL OR g.created_at < $8) AND ($9::timestamptz IS NULL OR g.updated_at < $9)
     AND ($10::timestamptz IS NULL OR (g.created_at, g.id) < ($10, $11))
   ORDER BY g.created_at DESC, g.id DESC LIMIT $12`;

const FIND = `SELECT ${COLUMNS} FROM souk.saga g WHERE g.id = $1`;
const LOCK = `${FIND} FOR UPDATE`;

/** A place in the list: the last line of a page. */
export interface SagaPlaceInList {
  readonly startedAt: Date;
  readonly id: string;
}

/** Newest first. @param after The last of the page before. */
export async function listSagas(
  sql: Sql,
  filter: SagaFilter,
  page: { readonly limit: number; readonly after?: SagaPlaceInList | undefined },
): Promise<SagaLine[]> {
  const { rows } = await sql.query<SagaRow>(LIST, [
    filter.status ?? null,
    filter.name ?? null,
    filter.version ?? null,
    filter.step ?? null,
    filter.error ?? null,
    filter.key ?? null,
    filter.tenant ?? null,
    filter.startedBefore ?? null,
    filter.unchangedSince ?? null,
    page.after?.startedAt ?? null,
    page.after?.id ?? null,
    page.limit,
  ]);
  return rows.map(toLine);
}

/** A saga as its row says, with what only the engine and its operators need. */
export interface SagaRecord {
  readonly line: SagaLine;
  readonly shape: string;
  readonly epoch: bigint;
}

/** @param lock Holds the row until the transaction ends. */
export async function readSaga(sql: Sql, id: string, lock = false): Promise<SagaRecord | undefined> {
  const [row] = (await sql.query<SagaRow>(lock ? LOCK : FIND, [id])).rows;
  return row && { line: toLine(row), shape: row.shape, epoch: row.epoch };
}

export interface SagaCount {
  readonly name: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly count: number;
}

/** Sagas that have not ended, by name, version and status. Those that ended are too many to be counted each time. */
export async function countSagas(sql: Sql): Promise<SagaCount[]> {
  const { rows } = await sql.query<SagaCount>(
    `/* count-sagas */
     SELECT name, version, status, count(*)::int4 AS count FROM souk.saga
      WHERE status IN ('READY', 'WAITING', 'PAUSED', 'STUCK') GROUP BY name, version, status
     UNION ALL
     SELECT name, version, status, count(*)::int4 FROM souk.saga WHERE status = 'RUNNING' GROUP BY name, version, status
     ORDER BY name, version, status`,
  );
  return rows;
}

const toLine = (row: SagaRow): SagaLine => ({
  id: row.id,
  name: row.name,
  version: row.version,
  status: row.status,
  direction: row.direction,
  step: row.step ?? undefined,
  seq: row.seq,
  error: row.error_reason === null ? undefined : { code: row.error_code ?? 'unknown', reason: row.error_reason },
  key: row.key ?? undefined,
  tenant: row.tenant ?? undefined,
  parent: row.parent ?? undefined,
  startedAt: row.created_at,
  updatedAt: row.updated_at,
  wakeAt: row.wake_at ?? undefined,
  deadlineAt: row.deadline_at ?? undefined,
  owner: row.owner ?? undefined,
  claims: row.claims,
});
