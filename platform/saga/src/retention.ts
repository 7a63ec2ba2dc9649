import type { Sql } from '@souk/store';

const SLICE = `
  /* forget-sagas */
  WITH old AS MATERIALIZED (
    SELECT id FROM souk.saga WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
  ), records AS (
    DELETE FROM souk.saga_journal j USING old WHERE j.saga_id = old.id
  ), signals AS (
    DELETE FROM souk.saga_signal n USING old WHERE n.saga_id = old.id
  )
  DELETE FROM souk.saga g USING old WHERE g.id = old.id`;

const ACTIONS = `
  /* forget-saga-actions */
  DELETE FROM souk.saga_action WHERE action_id = ANY (ARRAY(SELECT action_id FROM souk.saga_action WHERE at < $1 ORDER BY at LIMIT $2))`;

/** More at once would hold locks and the log for long. */
const SLICE_ROWS = 1_000;
/** The audit trail outlives the sagas: a year. */
const ACTIONS_MS = 365 * 24 * 3_600_000;

/**
 * Forgets a slice of the sagas that ended before a time, with their journals and signals, and of actions older than a year.
 *
 * @returns whether there may be more
 */
export async function forgetSagas(sql: Sql, endedBefore: Date, nowMs: number): Promise<boolean> {
  const actions = await sql.query(ACTIONS, [new Date(nowMs - ACTIONS_MS), SLICE_ROWS]);
  const sagas = await sql.query(SLICE, [endedBefore, SLICE_ROWS]);
  return sagas.rowCount === SLICE_ROWS || actions.rowCount === SLICE_ROWS;
}
