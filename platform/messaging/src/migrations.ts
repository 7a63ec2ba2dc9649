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
  {
    id: 'messaging/0004-slots',
    // A key always falls into the same slot, so a relay that has the slot has all of the key. `sends` counts how often a relay died
    // while it may have had the row in its hands. A slot without owner was let go of; one whose owner is no member was held to the death.
    sql: `
      ALTER TABLE souk.outbox
        ADD COLUMN slot smallint NOT NULL GENERATED ALWAYS AS ((hashtext(key) & 15)::smallint) STORED,
        ADD COLUMN sends smallint NOT NULL DEFAULT 0;
      CREATE INDEX outbox_slot ON souk.outbox (slot, pos);
      DROP TABLE souk.relay_lease;
      CREATE TABLE souk.relay_lease (
        slot smallint PRIMARY KEY,
        owner uuid,
        epoch bigint NOT NULL
      );
      INSERT INTO souk.relay_lease SELECT slot, NULL, 0 FROM generate_series(0, 15) slot;
      CREATE TABLE souk.relay_member (
        owner uuid PRIMARY KEY,
        alive_until timestamptz NOT NULL
      ) WITH (fillfactor = 20);`,
  },
  {
    id: 'messaging/0005-operators',
    // A blocked row is the place of a dead letter in front of its key. Letters with the same fingerprint died of the same thing:
    // numbers, ids and quoted words of their errors are left out of it.
    sql: `
      ALTER TABLE souk.retry
        ADD COLUMN lost smallint NOT NULL DEFAULT 0,
        ADD COLUMN dead_letter bigint,
        DROP CONSTRAINT retry_state_check,
        ADD CONSTRAINT retry_state_check CHECK (state IN ('waiting', 'running', 'blocked'));
      CREATE INDEX retry_blocked ON souk.retry (dead_letter) WHERE state = 'blocked';
      ALTER TABLE souk.dead_letter
        ADD COLUMN lane text,
        ADD COLUMN operator text,
        ADD COLUMN note text,
        ADD COLUMN acted_at timestamptz,
        ADD COLUMN fingerprint text NOT NULL GENERATED ALWAYS AS (left(md5(type || '|' || reason || '|' ||
          regexp_replace(error, '"[^"]*"|''[^'']*''|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,}|[0-9]+', '?', 'g')), 12)) STORED;
      CREATE INDEX dead_letter_status ON souk.dead_letter (consumer, status, id);
      CREATE INDEX dead_letter_group ON souk.dead_letter (consumer, fingerprint, id) WHERE status = 'dead';
      CREATE TABLE souk.consumer_state (
        consumer text PRIMARY KEY,
        paused boolean NOT NULL,
        operator text NOT NULL,
        note text NOT NULL,
        since timestamptz NOT NULL
      );
      CREATE TABLE souk.operator_action (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        consumer text NOT NULL,
        operator text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        note text NOT NULL
      );`,
  },
];
