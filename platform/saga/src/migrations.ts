import type { Migration } from '@souk/store';
import { SIGNALS_AND_ACTIONS } from './migration-signals.ts';

/**
 * Why functions: a batch is one round trip however many statements it takes, each statement sees what the one before wrote, and
 * the settings of the planner hold for the function alone; the pool's connections cannot be set for one user of them.
 *
 * Why loops: a join of the batch with the table has a plan that is good while the table is empty and reads the whole table, or its
 * whole index, later, until the next ANALYZE. A row found by its primary key has one plan.
 *
 * Why FOR KEY SHARE as the fence: heartbeats update the worker's row without touching its key, so the two do not wait for each
 * other; a takeover locks FOR UPDATE, so it waits for a batch in flight, and a batch that waited for it finds no live worker.
 */
const TABLES = `
CREATE SCHEMA IF NOT EXISTS souk;

CREATE TABLE souk.saga_worker (
  worker_id text PRIMARY KEY,
  epoch int8 NOT NULL,
  state text NOT NULL CHECK (state IN ('live', 'dead')),
  expires_at timestamptz NOT NULL,
  host text,
  pid int4 NOT NULL,
  process_started_at text NOT NULL
);

CREATE TABLE souk.saga (
  id text PRIMARY KEY,
  name text NOT NULL,
  version int4 NOT NULL,
  shape text NOT NULL,
  status text NOT NULL CHECK (status IN ('READY', 'RUNNING', 'WAITING', 'STUCK', 'COMPLETED', 'COMPENSATED', 'TERMINATED')),
  direction text NOT NULL CHECK (direction IN ('forward', 'backward')),
  owner text,
  epoch int8 NOT NULL,
  claims int4 NOT NULL,
  seq int4 NOT NULL,
  wake_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((status = 'RUNNING') = (owner IS NOT NULL)),
  CHECK (status NOT IN ('READY', 'WAITING') OR wake_at IS NOT NULL)
) WITH (fillfactor = 80);

CREATE INDEX saga_due ON souk.saga (wake_at) WHERE status IN ('READY', 'WAITING');
CREATE INDEX saga_running ON souk.saga (owner) WHERE status = 'RUNNING';
CREATE INDEX saga_stuck ON souk.saga (name) WHERE status = 'STUCK';

CREATE TABLE souk.saga_journal (
  saga_id text NOT NULL,
  seq int4 NOT NULL,
  kind int2 NOT NULL,
  step text,
  attempt int4,
  epoch int8 NOT NULL,
  body jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (saga_id, seq)
);

CREATE FUNCTION souk.saga_journal_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'records of souk.saga_journal are never changed';
END $$;

CREATE TRIGGER saga_journal_is_immutable BEFORE UPDATE ON souk.saga_journal
  FOR EACH ROW EXECUTE FUNCTION souk.saga_journal_is_immutable();
`;

const WRITE = `
CREATE FUNCTION souk.saga_write(me text, my_epoch int8, writes json, extend_ms int8, OUT live boolean, OUT accepted text[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  w record;
  moved text[] := '{}';
BEGIN
  accepted := '{}';
  IF extend_ms IS NULL THEN
    PERFORM 1 FROM souk.saga_worker o WHERE o.worker_id = me AND o.epoch = my_epoch AND o.state = 'live' FOR KEY SHARE;
  ELSE
    UPDATE souk.saga_worker o SET expires_at = clock_timestamp() + extend_ms * interval '1 millisecond'
     WHERE o.worker_id = me AND o.epoch = my_epoch AND o.state = 'live';
  END IF;
  live := FOUND;
  IF NOT live THEN
    RETURN;
  END IF;

  FOR w IN
    SELECT x.*, json_array_length(x.records) AS many FROM json_to_recordset(writes)
        AS x (id text, epoch int8, base int4, status text, direction text, wake int8, records json)
  LOOP
    -- An owner means RUNNING.
    UPDATE souk.saga g
       SET status = w.status, direction = w.direction, seq = w.base + w.many, updated_at = clock_timestamp(),
           claims = CASE WHEN w.many > 0 THEN 0 ELSE g.claims END,
           owner = CASE WHEN w.status = 'RUNNING' THEN me END,
           wake_at = CASE WHEN w.status = 'RUNNING' THEN g.wake_at ELSE to_timestamp(w.wake / 1000.0) END
     WHERE g.id = w.id AND g.owner = me AND g.epoch = w.epoch AND g.seq = w.base;
    IF FOUND THEN
      moved := moved || w.id;
    -- A write whose answer was lost is sent again: its last record is there, with the epoch that only its owner had.
    ELSIF w.many > 0 AND EXISTS (
      SELECT FROM souk.saga_journal k WHERE k.saga_id = w.id AND k.seq = w.base + w.many AND k.epoch = w.epoch
    ) THEN
      accepted := accepted || w.id;
    END IF;
  END LOOP;

  -- A saga is in a batch once, so its records are those of its one write.
  INSERT INTO souk.saga_journal (saga_id, seq, kind, step, attempt, epoch, body)
  SELECT x.id, r.seq, r.kind, r.step, r.attempt, x.epoch, r.body
    FROM json_to_recordset(writes) AS x (id text, epoch int8, records json),
         json_to_recordset(x.records) AS r (seq int4, kind int2, step text, attempt int4, body jsonb)
   WHERE x.id = ANY (moved);
  accepted := accepted || moved;
END $$;
`;

const CLAIM = `
CREATE FUNCTION souk.saga_claim(me text, my_epoch int8, kinds text[], now_at timestamptz, at_most int4)
RETURNS TABLE (id text, name text, version int4, shape text, epoch int8, claims int4, interrupted boolean, records json)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  due record;
BEGIN
  PERFORM 1 FROM souk.saga_worker o WHERE o.worker_id = me AND o.epoch = my_epoch AND o.state = 'live' FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR due IN
    SELECT s.id AS saga_id, s.status FROM souk.saga s
     WHERE s.status IN ('READY', 'WAITING') AND s.wake_at <= now_at AND s.name || '@' || s.version = ANY (kinds)
     ORDER BY s.wake_at LIMIT at_most FOR UPDATE SKIP LOCKED
  LOOP
    RETURN QUERY
    WITH mine AS (
      UPDATE souk.saga g SET status = 'RUNNING', owner = me, epoch = g.epoch + 1, claims = g.claims + 1, updated_at = clock_timestamp()
       WHERE g.id = due.saga_id
      RETURNING g.*
    )
    SELECT m.id, m.name, m.version, m.shape, m.epoch, m.claims, due.status = 'READY' AND m.epoch > 1,
           (SELECT json_agg(json_build_object('seq', j.seq, 'kind', j.kind, 'step', j.step, 'attempt', j.attempt, 'body', j.body) ORDER BY j.seq)
              FROM souk.saga_journal j WHERE j.saga_id = due.saga_id)
      FROM mine m;
  END LOOP;
END $$;
`;

const TAKE_OVER = `
CREATE FUNCTION souk.saga_take_over(worker_ids text[], now_at timestamptz) RETURNS int4
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  freed int4;
BEGIN
  PERFORM 1 FROM souk.saga_worker w
    WHERE w.state = 'live' AND (w.expires_at < clock_timestamp() OR w.worker_id = ANY (worker_ids))
    ORDER BY w.worker_id FOR UPDATE;
  UPDATE souk.saga_worker w SET state = 'dead', epoch = w.epoch + 1
   WHERE w.state = 'live' AND (w.expires_at < clock_timestamp() OR w.worker_id = ANY (worker_ids));
  -- All that lack a live owner, not only those of the workers just ended: a saga started in a transaction that was still open then
  -- becomes visible later.
  UPDATE souk.saga g SET status = 'READY', owner = NULL, wake_at = now_at, updated_at = clock_timestamp()
   WHERE g.status = 'RUNNING'
     AND NOT EXISTS (SELECT 1 FROM souk.saga_worker w WHERE w.worker_id = g.owner AND w.state = 'live');
  GET DIAGNOSTICS freed = ROW_COUNT;
  DELETE FROM souk.saga_worker w WHERE w.state = 'dead' AND w.expires_at < clock_timestamp() - interval '1 hour';
  RETURN freed;
END $$;
`;

/** Tables of the engine, in the schema `souk` of the service's own database. */
export const sagaMigrations: readonly Migration[] = Object.freeze([
  { id: 'saga/0001-sagas', sql: TABLES + WRITE + CLAIM + TAKE_OVER },
  { id: 'saga/0002-signals-and-actions', sql: SIGNALS_AND_ACTIONS },
]);
