/**
 * Signals, children, starts of their own, actions of operators, and what sagas are found by.
 *
 * What an append changes while the saga stays RUNNING must be in no index, not even in the predicate of one: then PostgreSQL keeps the
 * row's indexes as they are (HOT). So `step` and the error are written when the saga comes to rest, and `ended_at` once.
 */
const TABLES = `
ALTER TABLE souk.saga
  ADD COLUMN key text,
  ADD COLUMN tenant text,
  ADD COLUMN parent text,
  ADD COLUMN step text,
  ADD COLUMN error_code text,
  ADD COLUMN error_reason text,
  ADD COLUMN deadline_at timestamptz,
  ADD COLUMN ended_at timestamptz,
  DROP CONSTRAINT saga_status_check,
  ADD CONSTRAINT saga_status_check
    CHECK (status IN ('READY', 'RUNNING', 'WAITING', 'PAUSED', 'STUCK', 'COMPLETED', 'COMPENSATED', 'TERMINATED'));
UPDATE souk.saga SET ended_at = updated_at WHERE status IN ('COMPLETED', 'COMPENSATED', 'TERMINATED');

CREATE INDEX saga_created ON souk.saga (created_at, id);
CREATE INDEX saga_key ON souk.saga (key) WHERE key IS NOT NULL;
CREATE INDEX saga_error ON souk.saga (error_reason, created_at) WHERE error_reason IS NOT NULL;
CREATE INDEX saga_resting ON souk.saga (status, name, step) WHERE status IN ('PAUSED', 'STUCK');
CREATE INDEX saga_waiting ON souk.saga (step, created_at) WHERE status = 'WAITING';
CREATE INDEX saga_fair ON souk.saga (name, (coalesce(tenant, '')), wake_at) WHERE status IN ('READY', 'WAITING');
CREATE INDEX saga_ended ON souk.saga (ended_at) WHERE ended_at IS NOT NULL;
DROP INDEX souk.saga_stuck;

ALTER TABLE souk.saga_worker ADD COLUMN kinds text[] NOT NULL DEFAULT '{}';

-- One that was taken stays until its saga goes, so that it is not taken again when it is sent again.
CREATE TABLE souk.saga_signal (
  saga_id text NOT NULL,
  name text NOT NULL,
  signal_id text NOT NULL,
  body jsonb NOT NULL,
  taken boolean NOT NULL DEFAULT false,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (saga_id, name, signal_id)
);
CREATE INDEX saga_signal_open ON souk.saga_signal (saga_id) WHERE NOT taken;

-- Who did what to which saga: kept longer than the saga.
CREATE TABLE souk.saga_action (
  action_id text PRIMARY KEY,
  saga_id text NOT NULL,
  name text NOT NULL,
  action text NOT NULL,
  step text,
  actor text NOT NULL,
  reason text NOT NULL,
  forced boolean NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('done', 'sent')),
  at timestamptz NOT NULL
);
CREATE INDEX saga_action_saga ON souk.saga_action (saga_id, at);
CREATE INDEX saga_action_at ON souk.saga_action (at);

-- Entries into STUCK that nobody was told of yet.
CREATE TABLE souk.saga_notice (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  saga_id text NOT NULL,
  name text NOT NULL,
  version int4 NOT NULL,
  step text,
  error_code text,
  error_reason text,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
`;

/** A saga that is there already has its first record, so that nothing has to be compared. */
const BEGIN = `
CREATE FUNCTION souk.saga_begin(starts json) RETURNS text[]
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  begun text[];
BEGIN
  WITH s AS MATERIALIZED (
    SELECT * FROM json_to_recordset(starts) AS x (id text, name text, version int4, shape text, owner text, "wakeAt" int8, key text,
      tenant text, parent text, "deadlineAt" int8, record json)
  ), i AS (
    INSERT INTO souk.saga (id, name, version, shape, status, direction, owner, epoch, claims, seq, wake_at, key, tenant, parent, deadline_at)
    SELECT s.id, s.name, s.version, s.shape, CASE WHEN s.owner IS NULL THEN 'READY' ELSE 'RUNNING' END, 'forward', s.owner,
           CASE WHEN s.owner IS NULL THEN 0 ELSE 1 END, 0, 1, to_timestamp(s."wakeAt" / 1000.0), s.key, s.tenant, s.parent,
           to_timestamp(s."deadlineAt" / 1000.0)
      FROM s
    ON CONFLICT (id) DO NOTHING
    RETURNING id
  ), j AS (
    INSERT INTO souk.saga_journal (saga_id, seq, kind, epoch, body)
    SELECT s.id, 1, (s.record ->> 'kind')::int2, CASE WHEN s.owner IS NULL THEN 0 ELSE 1 END, (s.record -> 'body')::jsonb FROM s
    ON CONFLICT DO NOTHING
  )
  SELECT coalesce(array_agg(i.id), '{}') INTO begun FROM i;
  RETURN begun;
END $$;
`;

/**
 * A WAITING saga is woken at once. One that runs is told by its process; one that lets go of itself meanwhile is found by the next claim.
 * Nothing waits for a row that a worker is just writing: the signal's transaction may be a long one.
 */
const SIGNAL = `
CREATE FUNCTION souk.saga_send(signals json, now_at timestamptz) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  s record;
BEGIN
  FOR s IN
    SELECT * FROM json_to_recordset(signals) AS x ("sagaId" text, name text, "signalId" text, body jsonb)
  LOOP
    INSERT INTO souk.saga_signal (saga_id, name, signal_id, body)
    SELECT s."sagaId", s.name, s."signalId", coalesce(s.body, 'null') FROM souk.saga g
     WHERE g.id = s."sagaId" AND g.ended_at IS NULL
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
      UPDATE souk.saga g SET wake_at = now_at WHERE g.id = s."sagaId" AND g.status = 'WAITING' AND g.wake_at > now_at;
    END IF;
  END LOOP;
END $$;
`;

/**
 * One set at a time and not one saga at a time: a statement in a function costs more than the row it changes.
 *
 * Each row is looked up by its primary key and then changed where it lies (`ctid`): a join by id would read the whole index once per
 * batch when the plan was made while the table was empty. A row that somebody else changes in between is not where it was, and is left.
 */
const WRITE = `
DROP FUNCTION souk.saga_write(text, int8, json, int8);

CREATE FUNCTION souk.saga_write(
  me text, my_epoch int8, extend_ms int8, again boolean, now_at timestamptz, starts json, writes json, records json, extras json,
  OUT live boolean, OUT accepted text[]
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  moved text[] := '{}';
  e record;
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

  IF starts IS NOT NULL THEN
    accepted := souk.saga_begin(starts);
    IF again THEN
      accepted := accepted || ARRAY(
        SELECT g.id FROM json_to_recordset(starts) AS s (id text, owner text) JOIN souk.saga g ON g.id = s.id
         WHERE g.id <> ALL (accepted) AND (s.owner IS NULL OR g.owner = s.owner AND g.epoch = 1 AND g.seq = 1));
    END IF;
  END IF;
  IF writes IS NULL THEN
    RETURN;
  END IF;

  -- An owner means RUNNING.
  WITH m AS (
    UPDATE souk.saga g
       SET status = w.status, direction = w.direction, seq = w.base + w.many, updated_at = clock_timestamp(),
           claims = CASE WHEN w.progress THEN 0 ELSE g.claims END,
           owner = CASE WHEN w.status = 'RUNNING' THEN g.owner END,
           wake_at = CASE WHEN w.status = 'RUNNING' THEN g.wake_at
                          WHEN w.status = 'WAITING' AND EXISTS (SELECT FROM souk.saga_signal n WHERE n.saga_id = w.id AND NOT n.taken)
                          THEN least(now_at, to_timestamp(w.wake / 1000.0))
                          ELSE to_timestamp(w.wake / 1000.0) END,
           step = CASE WHEN w.status = 'RUNNING' THEN g.step ELSE w.step END,
           error_code = CASE WHEN w.status = 'RUNNING' THEN g.error_code ELSE w."errorCode" END,
           error_reason = CASE WHEN w.status = 'RUNNING' THEN g.error_reason ELSE w."errorReason" END,
           ended_at = CASE WHEN w.status IN ('COMPLETED', 'COMPENSATED', 'TERMINATED') THEN now_at END
      FROM (SELECT x.*, (SELECT s.ctid FROM souk.saga s WHERE s.id = x.id) AS place
              FROM json_to_recordset(writes) AS x (id text, epoch int8, base int4, many int4, progress boolean, status text, direction text,
                   wake int8, step text, "errorCode" text, "errorReason" text)) w
     WHERE g.ctid = w.place AND g.owner = me AND g.epoch = w.epoch AND g.seq = w.base
    RETURNING g.id
  )
  SELECT coalesce(array_agg(m.id), '{}') INTO moved FROM m;

  IF extras IS NOT NULL THEN
    FOR e IN SELECT * FROM json_to_recordset(extras) AS x (id text, stuck json, consumed json, starts json, sends json) LOOP
      CONTINUE WHEN NOT e.id = ANY (moved);
      IF e.stuck IS NOT NULL THEN
        INSERT INTO souk.saga_notice (saga_id, name, version, step, error_code, error_reason)
        SELECT g.id, g.name, g.version, g.step, g.error_code, g.error_reason FROM souk.saga g WHERE g.id = e.id;
      END IF;
      IF e.consumed IS NOT NULL THEN
        UPDATE souk.saga_signal n SET taken = true FROM json_to_recordset(e.consumed) AS c (name text, "signalId" text)
         WHERE n.saga_id = e.id AND n.name = c.name AND n.signal_id = c."signalId";
      END IF;
      IF e.starts IS NOT NULL THEN
        PERFORM souk.saga_begin(e.starts);
      END IF;
      IF e.sends IS NOT NULL THEN
        PERFORM souk.saga_send(e.sends, now_at);
      END IF;
    END LOOP;
  END IF;

  -- A saga is in a batch once, so its records are those of its one write.
  IF cardinality(moved) = json_array_length(writes) THEN
    INSERT INTO souk.saga_journal (saga_id, seq, kind, step, attempt, epoch, body)
    SELECT r.id, r.seq, r.kind, r.step, r.attempt, r.epoch, r.body
      FROM json_to_recordset(records) AS r (id text, seq int4, kind int2, step text, attempt int4, epoch int8, body jsonb);
  ELSE
    INSERT INTO souk.saga_journal (saga_id, seq, kind, step, attempt, epoch, body)
    SELECT r.id, r.seq, r.kind, r.step, r.attempt, r.epoch, r.body
      FROM json_to_recordset(records) AS r (id text, seq int4, kind int2, step text, attempt int4, epoch int8, body jsonb)
     WHERE r.id = ANY (moved);
    -- A write whose answer was lost is sent again: its last record is there, with the epoch that only its owner had.
    IF again THEN
      accepted := accepted || ARRAY(
        SELECT w.id FROM json_to_recordset(writes) AS w (id text, epoch int8, base int4, many int4)
         WHERE w.many > 0 AND w.id <> ALL (moved) AND EXISTS (
           SELECT FROM souk.saga_journal k WHERE k.saga_id = w.id AND k.seq = w.base + w.many AND k.epoch = w.epoch));
    END IF;
  END IF;
  accepted := accepted || moved;
END $$;
`;

/**
 * Oldest first while what is due fits. With a backlog half of the places go in turn to each saga type and tenant, so that a million of
 * one kind do not keep the others waiting, and half to the oldest, so that nobody starves among thousands of tenants.
 */
const CLAIM = `
DROP FUNCTION souk.saga_claim(text, int8, text[], timestamptz, int4);

CREATE FUNCTION souk.saga_claim(me text, my_epoch int8, kinds text[], now_at timestamptz, at_most int4)
RETURNS TABLE (id text, name text, version int4, shape text, epoch int8, claims int4, interrupted boolean, records json, signals json)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  oldest text[];
  chosen text[] := '{}';
  names text[];
  tenants text[];
  one text;
BEGIN
  PERFORM 1 FROM souk.saga_worker o WHERE o.worker_id = me AND o.epoch = my_epoch AND o.state = 'live' FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  -- A signal that came while its saga was just let go of.
  FOR one IN SELECT DISTINCT n.saga_id FROM souk.saga_signal n WHERE NOT n.taken LOOP
    UPDATE souk.saga g SET wake_at = now_at WHERE g.id = one AND g.status = 'WAITING' AND g.wake_at > now_at;
  END LOOP;

  oldest := ARRAY(
    SELECT s.id FROM souk.saga s
     WHERE s.status IN ('READY', 'WAITING') AND s.wake_at <= now_at AND s.name || '@' || s.version = ANY (kinds)
     ORDER BY s.wake_at LIMIT at_most + 1 FOR UPDATE SKIP LOCKED);

  IF cardinality(oldest) <= at_most THEN
    chosen := oldest;
  ELSE
    SELECT array_agg(t.name ORDER BY t.turn), array_agg(t.tenant ORDER BY t.turn) INTO names, tenants FROM (
      WITH RECURSIVE team AS (
        (SELECT s.name, coalesce(s.tenant, '') AS tenant FROM souk.saga s WHERE s.status IN ('READY', 'WAITING')
          ORDER BY s.name, coalesce(s.tenant, '') LIMIT 1)
        UNION ALL
        SELECT n.name, n.tenant FROM team t CROSS JOIN LATERAL (
          SELECT s.name, coalesce(s.tenant, '') AS tenant FROM souk.saga s
           WHERE s.status IN ('READY', 'WAITING') AND (s.name, coalesce(s.tenant, '')) > (t.name, t.tenant)
           ORDER BY s.name, coalesce(s.tenant, '') LIMIT 1) n
      )
      SELECT name, tenant, random() AS turn FROM team LIMIT 256) t;
    FOR turn IN 1 .. cardinality(names) LOOP
      EXIT WHEN cardinality(chosen) >= (at_most + 1) / 2;
      chosen := chosen || ARRAY(
        SELECT s.id FROM souk.saga s
         WHERE s.status IN ('READY', 'WAITING') AND s.name = names[turn] AND coalesce(s.tenant, '') = tenants[turn]
           AND s.wake_at <= now_at AND s.name || '@' || s.version = ANY (kinds)
         ORDER BY s.wake_at LIMIT greatest(1, at_most / 2 / cardinality(names)) FOR UPDATE SKIP LOCKED);
    END LOOP;
    FOREACH one IN ARRAY oldest LOOP
      EXIT WHEN cardinality(chosen) >= at_most;
      IF NOT one = ANY (chosen) THEN
        chosen := chosen || one;
      END IF;
    END LOOP;
  END IF;

  FOREACH one IN ARRAY chosen LOOP
    RETURN QUERY
    WITH was AS MATERIALIZED (
      SELECT s.status FROM souk.saga s WHERE s.id = one
    ), mine AS (
      UPDATE souk.saga g SET status = 'RUNNING', owner = me, epoch = g.epoch + 1, claims = g.claims + 1, updated_at = clock_timestamp()
       WHERE g.id = one
      RETURNING g.*
    )
    SELECT m.id, m.name, m.version, m.shape, m.epoch, m.claims, was.status = 'READY' AND m.epoch > 1,
           (SELECT json_agg(json_build_object('seq', j.seq, 'kind', j.kind, 'step', j.step, 'attempt', j.attempt, 'body', j.body) ORDER BY j.seq)
              FROM souk.saga_journal j WHERE j.saga_id = one),
           (SELECT json_agg(json_build_object('sagaId', n.saga_id, 'name', n.name, 'signalId', n.signal_id, 'body', n.body) ORDER BY n.at, n.signal_id)
              FROM souk.saga_signal n WHERE n.saga_id = one AND NOT n.taken)
      FROM mine m, was;
  END LOOP;
END $$;
`;

/** Sagas that nobody will ever run: no live worker has had their definition for a while. */
const ORPHANS = `
CREATE FUNCTION souk.saga_park_orphans(now_at timestamptz, after_ms int8, failure jsonb) RETURNS int4
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  known text[] := ARRAY(SELECT DISTINCT unnest(w.kinds) FROM souk.saga_worker w WHERE w.state = 'live');
  s record;
  parked int4 := 0;
BEGIN
  FOR s IN
    SELECT g.* FROM souk.saga g
     WHERE g.status IN ('READY', 'WAITING') AND g.wake_at < now_at - after_ms * interval '1 millisecond'
       AND g.name || '@' || g.version <> ALL (known)
     ORDER BY g.wake_at LIMIT 500 FOR UPDATE SKIP LOCKED
  LOOP
    INSERT INTO souk.saga_journal (saga_id, seq, kind, epoch, body)
    VALUES (s.id, s.seq + 1, 15, s.epoch, jsonb_build_object('failure', failure || jsonb_build_object(
      'step', coalesce(s.step, ''),
      'message', format(failure ->> 'message', s.name, s.version))));
    UPDATE souk.saga g
       SET status = 'STUCK', seq = g.seq + 1, wake_at = NULL, updated_at = clock_timestamp(),
           error_code = failure ->> 'code', error_reason = failure ->> 'reason'
     WHERE g.id = s.id;
    INSERT INTO souk.saga_notice (saga_id, name, version, step, error_code, error_reason)
    VALUES (s.id, s.name, s.version, s.step, failure ->> 'code', failure ->> 'reason');
    parked := parked + 1;
  END LOOP;
  RETURN parked;
END $$;
`;

export const SIGNALS_AND_ACTIONS = TABLES + BEGIN + SIGNAL + WRITE + CLAIM + ORPHANS;
