import type { Migration } from '@souk/store';

/** The tables in which projections and subscriptions keep how far they are. */
export const projectionMigrations: readonly Migration[] = [
  {
    id: 'projections/0001-followers',
    // A generation is one making of a projection's tables; a subscription has one. Its parts move on their own; each has an owner, and a
    // fence that goes up with each change of hands and is part of every move. A part without owner was let go of.
    //
    // A parked row without error waits behind one with error, in the same stream.
    sql: `
      CREATE TABLE souk.es_generation (
        name text NOT NULL,
        generation integer NOT NULL,
        kind text NOT NULL CHECK (kind IN ('projection', 'inline', 'subscription')),
        version integer NOT NULL,
        tables text[] NOT NULL,
        state text NOT NULL CHECK (state IN ('live', 'building', 'failed')),
        total bigint NOT NULL DEFAULT 0,
        actor text NOT NULL,
        reason text NOT NULL,
        error text,
        began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        live_at timestamptz,
        PRIMARY KEY (name, generation)
      );
      CREATE UNIQUE INDEX es_generation_state ON souk.es_generation (name, state) WHERE state <> 'failed';
      CREATE TABLE souk.es_checkpoint (
        name text NOT NULL,
        generation integer NOT NULL,
        part integer NOT NULL,
        parts integer NOT NULL,
        epoch integer NOT NULL,
        xid xid8 NOT NULL,
        position bigint NOT NULL,
        events bigint NOT NULL DEFAULT 0,
        fence bigint NOT NULL DEFAULT 0,
        owner uuid,
        caught_up boolean NOT NULL DEFAULT false,
        moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        error text,
        PRIMARY KEY (name, generation, part)
      ) WITH (fillfactor = 50);
      CREATE TABLE souk.es_member (
        owner uuid PRIMARY KEY,
        alive_until timestamptz NOT NULL
      ) WITH (fillfactor = 20);
      CREATE TABLE souk.es_parked (
        name text NOT NULL,
        generation integer NOT NULL,
        stream text NOT NULL,
        version bigint NOT NULL,
        type text NOT NULL,
        error text,
        parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (name, generation, stream, version)
      );`,
  },
];
