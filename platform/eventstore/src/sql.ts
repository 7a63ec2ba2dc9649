// How one statement appends. The head row of the stream is claimed first, by INSERT or by UPDATE: both wait for whoever holds it and
// then look at what that one committed. Events are inserted only for a claimed stream, so a version can neither be left out nor be taken
// twice. Data goes as one array of texts, and its order is the order of versions.
////
// A stream that another transaction made while we waited is not in our snapshot, so the UPDATE misses it; ON CONFLICT does not.
//
// `lock` comes before everything that gives the transaction its id, when this is its first write: then the order of ids is the order
// of versions within a stream, which readers of all streams rely on.

/**
 * $1 stream, $2 expected version or null, $3 must exist, $4 ids, $5 types, $6 schema versions, $7 data, $8 metadata, $9 time.
 * One row with the new version; none when the expectation does not hold.
 */
export const APPEND = `
  /* append-events */
  WITH lock AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended($1, 42))
  ), moved AS (
    UPDATE souk.es_stream s SET version = s.version + cardinality($4::uuid[])
    FROM lock WHERE s.stream = $1 AND ($2::bigint IS NULL OR s.version = $2)
    RETURNING s.version
  ), made AS (
    INSERT INTO souk.es_stream AS s (stream, version)
    SELECT $1, cardinality($4::uuid[]) FROM lock
    WHERE coalesce($2::bigint, 0) = 0 AND NOT $3::boolean AND NOT EXISTS (SELECT FROM moved)
    ON CONFLICT (stream) DO UPDATE SET version = s.version + cardinality($4::uuid[]) WHERE $2::bigint IS NULL
    RETURNING s.version
  ), claimed AS (
    SELECT version FROM moved UNION ALL SELECT version FROM made
  ), written AS (
    INSERT INTO souk.es_event (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
    SELECT m.epoch, $1, c.version - cardinality($4::uuid[]) + e.n, e.id, e.type, e.schema_version, e.data::jsonb, $8::jsonb, $9
    FROM claimed c, souk.es_meta m,
      unnest($4::uuid[], $5::text[], $6::smallint[], $7::text[]) WITH ORDINALITY AS e (id, type, schema_version, data, n)
    ORDER BY e.n
  )
  SELECT version FROM claimed`;

/** Asked after a refusal, in a statement of its own: the one that was refused may not see what it waited for. */
export const VERSION = `SELECT version FROM souk.es_stream WHERE stream = $1`;

export const READ = `
  /* read-stream */
  SELECT version, event_id, type, schema_version, data, metadata, at FROM souk.es_event
  WHERE stream = $1 AND version >= $2 ORDER BY version`;
