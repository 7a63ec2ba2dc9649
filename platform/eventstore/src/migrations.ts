import type { Migration } from '@souk/store';

/** The tables of streams and events. */
export const eventStoreMigrations: readonly Migration[] = [
  {
    id: 'eventstore/0001-events',
    // `position` alone is no order: it is given before the commit. Readers of all streams go by (epoch, xid, position), below
    // the oldest transaction that still writes. The epoch goes up when a restored database starts to count transactions anew.
    sql: `
      CREATE TABLE souk.es_meta (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        store_id uuid NOT NULL DEFAULT gen_random_uuid(),
        epoch integer NOT NULL DEFAULT 1
      );
      INSERT INTO souk.es_meta DEFAULT VALUES;
      CREATE TABLE souk.es_stream (
        stream text PRIMARY KEY,
        version bigint NOT NULL CHECK (version > 0)
      ) WITH (fillfactor = 80);
      CREATE TABLE souk.es_event (
        position bigint GENERATED ALWAYS AS IDENTITY,
        epoch integer NOT NULL,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        stream text NOT NULL,
        version bigint NOT NULL CHECK (version > 0),
        event_id uuid NOT NULL UNIQUE,
        type text NOT NULL,
        schema_version smallint NOT NULL,
        data jsonb NOT NULL,
        metadata jsonb NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (stream, version)
      );
      CREATE INDEX es_event_order ON souk.es_event (epoch, xid, position);`,
  },
  {
    id: 'eventstore/0002-order',
    // Who appended last is kept with the stream: a transaction that took its id earlier must not append after it, or readers would see
    // the versions the wrong way round. Where the store lives is kept so that a move to another cluster is noticed.
    sql: `
      ALTER TABLE souk.es_stream ADD COLUMN epoch integer NOT NULL DEFAULT 1, ADD COLUMN xid xid8 NOT NULL DEFAULT '0';
      ALTER TABLE souk.es_meta ADD COLUMN system_identifier bigint, ADD COLUMN timeline integer;
      CREATE INDEX es_event_category ON souk.es_event (split_part(stream, '-', 1), epoch, xid, position);
      CREATE FUNCTION souk.es_partition(stream text, parts integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN abs(hashtextextended(stream, 7) % parts)::integer;`,
  },
  {
    id: 'eventstore/0003-append',
    // Appends to any number of streams at once: an outcome per append. In steps, each of which sees what the one before waited for:
    //
    // 1. Locks the streams, in the order of their hashes, so that appends to the same streams cannot deadlock. Nothing before it gives the
    //    transaction an id: whoever comes later to a stream has the higher id, and readers see its versions in order.
    // 2. Looks at each stream, decides, writes those that hold. With `whole`, all or none.
    //
    // `appends` is an array of { s stream, e expected version or null, x must exist, l locked before, k ids given by the caller, c count,
    // m metadata, v events { i id, t type, v schema version, d data } }, one per stream. `wait` false: a stream that is locked by another
    // transaction is `busy`. Looking up by LATERAL .. LIMIT keeps plans from scanning a table that was empty when they were made.
    sql: `
      CREATE FUNCTION souk.es_append(appends jsonb, happened timestamptz, wait boolean, whole boolean)
      RETURNS TABLE (n integer, outcome text, version bigint, epoch integer, xid text, "position" bigint)
      LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
      #variable_conflict use_column
      DECLARE
        own xid8 := pg_current_xact_id_if_assigned();
        busy bigint[] := '{}';
      BEGIN
        IF wait THEN
          PERFORM pg_advisory_xact_lock(q.h) FROM (
            SELECT DISTINCT hashtextextended(a ->> 's', 42) AS h FROM jsonb_array_elements(appends) a ORDER BY 1
          ) q;
        ELSE
          busy := ARRAY(
            SELECT q.h FROM (
              SELECT DISTINCT hashtextextended(a ->> 's', 42) AS h FROM jsonb_array_elements(appends) a
            ) q WHERE NOT pg_try_advisory_xact_lock(q.h)
          );
        END IF;
        RETURN QUERY
        WITH given AS MATERIALIZED (
          SELECT * FROM ROWS FROM (
            jsonb_to_recordset(appends) AS (s text, e bigint, x boolean, l boolean, k boolean, c integer, m jsonb, v jsonb)
          ) WITH ORDINALITY AS g (s, e, x, l, k, c, m, v, n)
        ), seen AS MATERIALIZED (
          SELECT g.n, g.s, g.c, g.m, g.v, t.epoch, coalesce(h.version, 0) AS base, CASE
              WHEN hashtextextended(g.s, 42) = ANY (busy) THEN 'busy'
              WHEN own IS NOT NULL AND NOT g.l THEN 'not_locked'
              WHEN g.k AND EXISTS (
                SELECT FROM jsonb_array_elements(g.v) i
                WHERE (SELECT o.version FROM souk.es_event o WHERE o.event_id = (i ->> 'i')::uuid LIMIT 1) IS NOT NULL
              ) THEN 'known'
              WHEN g.e <> coalesce(h.version, 0) OR (g.x AND h.version IS NULL) THEN 'wrong_version'
              WHEN h.epoch = t.epoch AND h.xid > own THEN 'behind'
              ELSE 'appended'
            END AS outcome
          FROM souk.es_meta t CROSS JOIN given g
          LEFT JOIN LATERAL (SELECT s.version, s.epoch, s.xid FROM souk.es_stream s WHERE s.stream = g.s LIMIT 1) h ON true
        ), holds AS MATERIALIZED (
          SELECT s.* FROM seen s
          WHERE s.outcome = 'appended' AND NOT (whole AND EXISTS (SELECT FROM seen o WHERE o.outcome NOT IN ('appended', 'known')))
        ), moved AS (
          INSERT INTO souk.es_stream AS h (stream, version, epoch, xid)
          SELECT o.s, o.base + o.c, o.epoch, pg_current_xact_id() FROM holds o
          ON CONFLICT (stream) DO UPDATE SET version = excluded.version, epoch = excluded.epoch, xid = excluded.xid
        ), written AS (
          INSERT INTO souk.es_event AS e (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
          SELECT o.epoch, o.s, o.base + i.o, i.i, i.t, i.v, coalesce(i.d, 'null'), o.m, happened
          FROM holds o, ROWS FROM (
            jsonb_to_recordset(o.v) AS (i uuid, t text, v smallint, d jsonb)
          ) WITH ORDINALITY AS i (i, t, v, d, o)
          ORDER BY o.n, i.o
          RETURNING e.stream, e.version, e.epoch, e.xid, e.position
        )
        SELECT s.n::integer,
          CASE WHEN s.outcome = 'appended' AND w.version IS NULL THEN 'skipped' WHEN s.outcome <> 'known' THEN s.outcome WHEN k.same THEN 'repeated' ELSE 'mixed' END,
          coalesce(w.version, k.version, s.base), coalesce(w.epoch, k.epoch), coalesce(w.xid, k.xid)::text, coalesce(w.position, k.position)
        FROM seen s
        LEFT JOIN written w ON w.stream = s.s AND w.version = s.base + s.c
        LEFT JOIN LATERAL (
          SELECT count(e.version) = s.c AND bool_and(e.stream = s.s) AND count(DISTINCT e.version - i.o) = 1 AS same,
            max(e.version) AS version, max(e.epoch) AS epoch, max(e.xid::text)::xid8 AS xid, max(e.position) AS position
          FROM jsonb_array_elements(s.v) WITH ORDINALITY AS i (i, o)
          LEFT JOIN LATERAL (SELECT * FROM souk.es_event o WHERE o.event_id = (i.i ->> 'i')::uuid LIMIT 1) e ON true
        ) k ON s.outcome = 'known'
        ORDER BY s.n;
      END $$;`,
  },
];
