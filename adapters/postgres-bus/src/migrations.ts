import type { Migration } from '@souk/store';

/** Parts into which the keys of a group are divided. Fixed by what publishing writes into rows that wait. A power of two. */
export const SLOTS = 32;

/** The tables of the bus. They want a database of their own. */
export const postgresBusMigrations: readonly Migration[] = [
  {
    id: 'postgres-bus/0001-queues',
    // A queue: rows come and go all day, so it is vacuumed by count and not by share, and never shortened, which would lock it. The
    // identity must not be cached: two sessions with ranges of their own would number events of a key backwards. No foreign key on the
    // events: each insert would lock its group's row.
    sql: `
      CREATE TABLE souk.bus_group (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE
      );
      CREATE TABLE souk.bus_interest (
        type text NOT NULL,
        group_id integer NOT NULL REFERENCES souk.bus_group ON DELETE CASCADE,
        ordered boolean NOT NULL,
        PRIMARY KEY (type, group_id)
      );
      CREATE TABLE souk.bus_process (
        id uuid PRIMARY KEY,
        alive_until timestamptz NOT NULL
      ) WITH (fillfactor = 20);
      CREATE TABLE souk.bus_member (
        id uuid PRIMARY KEY,
        process uuid NOT NULL REFERENCES souk.bus_process ON DELETE CASCADE,
        group_id integer NOT NULL REFERENCES souk.bus_group ON DELETE CASCADE,
        types text[] NOT NULL,
        active boolean NOT NULL DEFAULT true
      );
      CREATE INDEX bus_member_process ON souk.bus_member (process);
      CREATE TABLE souk.bus_slot (
        group_id integer NOT NULL REFERENCES souk.bus_group ON DELETE CASCADE,
        slot smallint NOT NULL,
        owner uuid,
        epoch bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (group_id, slot)
      ) WITH (fillfactor = 50);
      CREATE TABLE souk.bus_event (
        group_id integer NOT NULL,
        slot smallint NOT NULL,
        pos bigint GENERATED ALWAYS AS IDENTITY,
        deliveries smallint NOT NULL DEFAULT 0,
        id text NOT NULL,
        source text NOT NULL,
        type text NOT NULL,
        schema text NOT NULL,
        key text NOT NULL,
        time text NOT NULL,
        traceparent text NOT NULL,
        causation_id text,
        extensions jsonb,
        data bytea NOT NULL,
        PRIMARY KEY (group_id, slot, pos),
        UNIQUE (id, source, group_id)
      ) WITH (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
        vacuum_truncate = false, toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 2000,
        toast.vacuum_truncate = false
      );
      ALTER TABLE souk.bus_event ALTER COLUMN data SET STORAGE EXTERNAL;`,
  },
  {
    id: 'postgres-bus/0002-functions',
    // Functions for the sake of their settings: a plan is kept for the life of a connection, and one that was made while the queue was
    // empty would read all of it once it is long. For the same reason rows are looked up one by one, by LATERAL and LIMIT: no other order
    // of joins is left to choose.
    sql: `
      -- The next rows of each slot that are not in the asker's hand, until there are enough of them, or of their bytes.
      CREATE FUNCTION souk.bus_claim(
        asked_group integer, slots smallint[], mosts integer[], in_hand text[], room integer, room_bytes bigint)
      RETURNS SETOF souk.bus_event LANGUAGE plpgsql STABLE
      SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
      AS $$
      BEGIN
        RETURN QUERY
          SELECT w.group_id, w.slot, w.pos, w.deliveries, w.id, w.source, w.type, w.schema, w.key, w.time, w.traceparent,
            w.causation_id, w.extensions, w.data
          FROM (
            SELECT e.*, sum(octet_length(e.data)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM (
              SELECT n.* FROM unnest(slots, mosts, in_hand) AS want (slot, most, held)
              CROSS JOIN LATERAL (
                SELECT x.* FROM souk.bus_event x
                WHERE x.group_id = asked_group AND x.slot = want.slot AND x.pos <> ALL (want.held::bigint[])
                ORDER BY x.group_id, x.slot, x.pos LIMIT want.most) n
              LIMIT room) e
          ) w
          WHERE coalesce(w.before, 0) < room_bytes;
      END $$;

      CREATE FUNCTION souk.bus_has_events(asked_group integer) RETURNS boolean LANGUAGE plpgsql STABLE
      SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
      AS $$
      BEGIN
        RETURN EXISTS (SELECT FROM souk.bus_event e WHERE e.group_id = asked_group);
      END $$;

      -- Removes handled rows, each only while its slot is still the asker's. Not waited for on disk: what a crash of the server brings
      -- back is delivered again.
      CREATE FUNCTION souk.bus_acknowledge(groups integer[], slots smallint[], owners uuid[], epochs bigint[], positions bigint[])
      RETURNS bigint LANGUAGE plpgsql
      SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
      AS $$
      DECLARE removed bigint;
      BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        WITH ours AS MATERIALIZED (
          SELECT done.group_id, done.slot, done.pos
          FROM unnest(groups, slots, owners, epochs, positions) AS done (group_id, slot, owner, epoch, pos)
          JOIN souk.bus_slot s
            ON s.group_id = done.group_id AND s.slot = done.slot AND s.owner = done.owner AND s.epoch = done.epoch
        )
        DELETE FROM souk.bus_event e WHERE e.ctid = ANY (ARRAY(
          SELECT found.ctid FROM ours CROSS JOIN LATERAL (
            SELECT x.ctid FROM souk.bus_event x
            WHERE x.group_id = ours.group_id AND x.slot = ours.slot AND x.pos = ours.pos
            ORDER BY x.group_id, x.slot, x.pos LIMIT 1) found));
        GET DIAGNOSTICS removed = ROW_COUNT;
        RETURN removed;
      END $$;

      -- Takes slots that nobody has. Who is taken for dead loses its row in the same statement, so that it cannot renew a moment later
      -- and believe itself alive. What a dead owner may have had in its hand counts as delivered once.
      CREATE FUNCTION souk.bus_take(asking_process uuid, asking uuid, asked_group integer, most integer, in_hand integer)
      RETURNS TABLE (slot smallint, epoch bigint) LANGUAGE plpgsql
      SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
      AS $$
      #variable_conflict use_column
      BEGIN
        RETURN QUERY
          WITH dead AS (
            DELETE FROM souk.bus_process WHERE id IN (
              SELECT p.id FROM souk.bus_process p WHERE p.alive_until < clock_timestamp() AND p.id <> asking_process
              FOR UPDATE SKIP LOCKED)
            RETURNING id
          ), free AS MATERIALIZED (
            SELECT s.slot, s.owner IS NOT NULL AS died FROM souk.bus_slot s
            WHERE s.group_id = asked_group AND (
              s.owner IS NULL OR NOT EXISTS (SELECT FROM souk.bus_member m WHERE m.id = s.owner)
              OR s.owner IN (SELECT m.id FROM souk.bus_member m WHERE m.process IN (SELECT dead.id FROM dead)))
            ORDER BY s.slot LIMIT most FOR UPDATE SKIP LOCKED
          ), taken AS (
            UPDATE souk.bus_slot s SET owner = asking, epoch = s.epoch + 1 FROM free
            WHERE s.group_id = asked_group AND s.slot = free.slot RETURNING s.slot, s.epoch
          ), counted AS (
            UPDATE souk.bus_event e SET deliveries = e.deliveries + 1
            WHERE e.deliveries < 1000 AND e.ctid = ANY (ARRAY(
              SELECT found.ctid FROM free CROSS JOIN LATERAL (
                SELECT x.ctid FROM souk.bus_event x WHERE x.group_id = asked_group AND x.slot = free.slot
                ORDER BY x.group_id, x.slot, x.pos LIMIT in_hand) found
              WHERE free.died))
          )
          SELECT taken.slot, taken.epoch FROM taken;
      END $$;`,
  },
];
