// How appends are written. A part of a released migration: never edited, only replaced by a new one.
//
// Appends to any number of streams at once, with an outcome for each. In steps, each of which sees what the one before waited for:
//
// 1. Locks the streams, in the order of their hashes, so that appends to the same streams cannot deadlock. Nothing before it gives the
//    transaction an id: whoever comes later to a stream has the higher id, and readers see its versions in order.
// 2. Looks at each stream, decides, and writes what holds. With `whole`, all or nothing.
//
// Per append: `streams`, each once; `expected` version or null; `flags` 1 must exist, 2 was locked before; how many events; metadata.
// Per event: the index of its append, its number in it, id, type, schema version, data. `known_...`: the events whose ids may be there.
// `wait` false: a stream that another transaction has locked is `busy`.
//
// Looking up by LATERAL .. LIMIT keeps plans, which are made once, from scanning a table that was empty when they were made.

/** The whole of it: a statement per step would be three round trips. */
export const APPEND_FUNCTION = `
  CREATE FUNCTION souk.es_append(
    streams text[], expected bigint[], flags integer[], counts integer[], metadata text[],
    indexes integer[], numbers integer[], ids uuid[], types text[], schemas smallint[], data text[],
    known_indexes integer[], known_numbers integer[], known_ids uuid[],
    happened timestamptz, wait boolean, whole boolean
  ) RETURNS TABLE (n integer, outcome text, version bigint, epoch integer, xid text, "position" bigint)
  LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
  #variable_conflict use_column
  DECLARE
    own xid8 := pg_current_xact_id_if_assigned();
    busy bigint[] := '{}';
    era integer;
    head record;
    hash bigint;
  BEGIN
    -- One append whose ids are new: most transactions. Plain statements start faster than one that can do all.
    IF cardinality(streams) = 1 AND cardinality(known_ids) = 0 THEN
      hash := hashtextextended(streams[1], 42);
      IF wait THEN
        PERFORM pg_advisory_xact_lock(hash);
      ELSIF NOT pg_try_advisory_xact_lock(hash) THEN
        RETURN QUERY SELECT 1, 'busy'::text, NULL::bigint, NULL::integer, NULL::text, NULL::bigint;
        RETURN;
      END IF;
      SELECT m.epoch INTO era FROM souk.es_meta m;
      SELECT s.version, s.epoch, s.xid INTO head FROM souk.es_stream s WHERE s.stream = streams[1];
      outcome := CASE
        WHEN own IS NOT NULL AND flags[1] & 2 = 0 THEN 'not_locked'
        WHEN expected[1] <> coalesce(head.version, 0) OR (flags[1] & 1 = 1 AND head.version IS NULL) THEN 'wrong_version'
        WHEN head.epoch = era AND head.xid > own THEN 'behind'
        ELSE 'appended'
      END;
      n := 1;
      version := coalesce(head.version, 0);
      IF outcome = 'appended' THEN
        IF head.version IS NULL THEN
          INSERT INTO souk.es_stream (stream, version, epoch, xid) VALUES (streams[1], counts[1], era, pg_current_xact_id());
        ELSE
          UPDATE souk.es_stream s SET version = s.version + counts[1], epoch = era, xid = pg_current_xact_id() WHERE s.stream = streams[1];
        END IF;
        IF counts[1] = 1 THEN
          INSERT INTO souk.es_event AS e (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
          VALUES (era, streams[1], version + 1, ids[1], types[1], schemas[1], data[1]::jsonb, metadata[1]::jsonb, happened)
          RETURNING e.epoch, e.xid::text, e.position INTO epoch, xid, position;
        ELSE
          WITH written AS (
            INSERT INTO souk.es_event AS e (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
            SELECT era, streams[1], version + v.o, v.i, v.t, v.s, v.d::jsonb, metadata[1]::jsonb, happened
            FROM unnest(numbers, ids, types, schemas, data) AS v (o, i, t, s, d) ORDER BY v.o
            RETURNING e.epoch, e.xid::text, e.position
          )
          SELECT w.epoch, w.xid, w.position INTO epoch, xid, position FROM written w ORDER BY w.position DESC LIMIT 1;
        END IF;
        version := version + counts[1];
      END IF;
      RETURN NEXT;
      RETURN;
    END IF;

    IF wait THEN
      PERFORM pg_advisory_xact_lock(q.h)
      FROM (SELECT DISTINCT hashtextextended(s, 42) AS h FROM unnest(streams) s ORDER BY 1) q;
    ELSE
      busy := ARRAY(
        SELECT q.h FROM (SELECT DISTINCT hashtextextended(s, 42) AS h FROM unnest(streams) s) q
        WHERE NOT pg_try_advisory_xact_lock(q.h)
      );
    END IF;
    RETURN QUERY
    WITH old AS MATERIALIZED (
      SELECT k.a, count(*) AS found, count(DISTINCT e.version - k.o) AS runs, min(e.stream) AS stream, max(e.stream) AS other,
        max(e.version) AS version, max(e.epoch) AS epoch, max(e.xid::text) AS xid, max(e.position) AS position
      FROM unnest(known_indexes, known_numbers, known_ids) AS k (a, o, i)
      CROSS JOIN LATERAL (SELECT * FROM souk.es_event o WHERE o.event_id = k.i LIMIT 1) e
      GROUP BY k.a
    ), seen AS MATERIALIZED (
      SELECT g.n::integer AS n, g.s, g.c, g.m, m.epoch, coalesce(h.version, 0) AS base, CASE
          WHEN busy <> '{}' AND hashtextextended(g.s, 42) = ANY (busy) THEN 'busy'
          WHEN own IS NOT NULL AND g.f & 2 = 0 THEN 'not_locked'
          WHEN k.found = g.c AND k.runs = 1 AND k.stream = g.s AND k.other = g.s THEN 'repeated'
          WHEN k.found > 0 THEN 'mixed'
          WHEN g.e <> coalesce(h.version, 0) OR (g.f & 1 = 1 AND h.version IS NULL) THEN 'wrong_version'
          WHEN h.epoch = m.epoch AND h.xid > own THEN 'behind'
          ELSE 'appended'
        END AS outcome
      FROM unnest(streams, expected, flags, counts, metadata) WITH ORDINALITY AS g (s, e, f, c, m, n)
      CROSS JOIN LATERAL (SELECT t.epoch FROM souk.es_meta t LIMIT 1) m
      LEFT JOIN LATERAL (SELECT s.version, s.epoch, s.xid FROM souk.es_stream s WHERE s.stream = g.s LIMIT 1) h ON true
      LEFT JOIN old k ON k.a = g.n
    ), holds AS MATERIALIZED (
      SELECT s.* FROM seen s
      WHERE s.outcome = 'appended' AND NOT (whole AND EXISTS (SELECT FROM seen o WHERE o.outcome NOT IN ('appended', 'repeated')))
    ), moved AS (
      INSERT INTO souk.es_stream AS h (stream, version, epoch, xid)
      SELECT o.s, o.base + o.c, o.epoch, pg_current_xact_id() FROM holds o
      ON CONFLICT (stream) DO UPDATE SET version = excluded.version, epoch = excluded.epoch, xid = excluded.xid
    ), written AS (
      INSERT INTO souk.es_event AS e (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
      SELECT o.epoch, o.s, o.base + v.o, v.i, v.t, v.s, v.d::jsonb, o.m::jsonb, happened
      FROM holds o JOIN unnest(indexes, numbers, ids, types, schemas, data) AS v (a, o, i, t, s, d) ON v.a = o.n
      ORDER BY o.n, v.o
      RETURNING e.stream, e.version, e.epoch, e.xid, e.position
    )
    SELECT s.n, CASE WHEN s.outcome = 'appended' AND w.version IS NULL THEN 'skipped' ELSE s.outcome END,
      coalesce(w.version, k.version, s.base), coalesce(w.epoch, k.epoch), coalesce(w.xid::text, k.xid), coalesce(w.position, k.position)
    FROM seen s
    LEFT JOIN written w ON w.stream = s.s AND w.version = s.base + s.c
    LEFT JOIN old k ON k.a = s.n AND s.outcome = 'repeated'
    ORDER BY s.n;
  END $$;`;
