import type { Migration } from '@souk/store';
import { APPEND_FUNCTION } from './append-function.ts';

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
    sql: APPEND_FUNCTION,
  },
  {
    id: 'eventstore/0004-snapshots',
    sql: `
      CREATE TABLE souk.es_snapshot (
        stream text NOT NULL,
        fold text NOT NULL,
        hash text NOT NULL,
        version bigint NOT NULL CHECK (version > 0),
        state jsonb NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (stream, fold)
      );`,
  },
  {
    id: 'eventstore/0005-subjects',
    // A forgotten subject keeps its row, without a key: nobody can make it a new one by accident.
    sql: `
      CREATE TABLE souk.es_subject_key (
        subject text PRIMARY KEY,
        key_id text NOT NULL,
        wrapped bytea,
        made_at timestamptz NOT NULL,
        forgotten_at timestamptz,
        CHECK ((wrapped IS NULL) = (forgotten_at IS NOT NULL))
      );`,
  },
];
