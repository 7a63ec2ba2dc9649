import type { Migration } from '@souk/store';

/** The tables of outbox, inbox, retry and dead letters. */
export const messagingMigrations: readonly Migration[] = [
  {
    id: 'messaging/0001-outbox',
    // A queue: rows come and go all day, so it is vacuumed by count and not by share. Its identity must not be cached: two
    // sessions with ranges of their own would number events of a key backwards.
    sql: `
      CREATE TABLE souk.outbox (
        pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL,
        type text NOT NULL,
        schema text NOT NULL,
        key text NOT NULL,
        time timestamptz NOT NULL,
        traceparent text NOT NULL,
        causation_id text,
        data bytea NOT NULL
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      CREATE TABLE souk.relay_lease (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        owner uuid NOT NULL,
        epoch bigint NOT NULL,
        lease_until timestamptz NOT NULL
      ) WITH (fillfactor = 50);`,
  },
  {
    id: 'messaging/0002-inbox',
    sql: `
      CREATE TABLE souk.inbox (
        consumer text NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (consumer, source, id)
      );
      CREATE INDEX inbox_received_at ON souk.inbox USING brin (received_at) WITH (pages_per_range = 16);`,
  },
  {
    id: 'messaging/0003-retry',
    sql: `
      CREATE TABLE souk.retry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        consumer text NOT NULL,
        key text NOT NULL,
        state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running')),
        available_at timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        locked_until timestamptz,
        envelope jsonb NOT NULL,
        errors jsonb NOT NULL DEFAULT '[]'
      );
      CREATE INDEX retry_key ON souk.retry (consumer, key, id);
      CREATE INDEX retry_due ON souk.retry (available_at) WHERE state = 'waiting';
      CREATE INDEX retry_locked ON souk.retry (locked_until) WHERE state = 'running';
      CREATE TABLE souk.dead_letter (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        consumer text NOT NULL,
        source text NOT NULL,
        msg_id text NOT NULL,
        type text NOT NULL,
        key text NOT NULL,
        envelope jsonb NOT NULL,
        reason text NOT NULL,
        error text NOT NULL,
        attempts jsonb NOT NULL,
        dead_at timestamptz NOT NULL,
        status text NOT NULL DEFAULT 'dead' CHECK (status IN ('dead', 'replayed', 'edited', 'discarded'))
      );
      CREATE UNIQUE INDEX dead_letter_dead ON souk.dead_letter (consumer, source, msg_id) WHERE status = 'dead';`,
  },
];
