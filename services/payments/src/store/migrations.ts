import type { Migration } from '@souk/store';

export const paymentsMigrations: readonly Migration[] = [
  {
    id: 'payments/0001-payments',
    // The sums are checked by the database too: no bug above it can take or give back more than there is. Columns of hot updates are in
    // no index, so that they stay in place.
    sql: `
      create table payment_method (
        id text collate "C" primary key,
        user_id text not null,
        provider_reference text not null,
        brand text not null,
        last4 text not null,
        created_at timestamptz not null
      );
      create index payment_method_user on payment_method (user_id, id desc);

      create table payment (
        id text collate "C" primary key,
        order_id text not null,
        by_hand boolean not null default false,
        user_id text not null,
        payment_method_id text not null default '',
        method_reference text not null default '',
        status text not null check (status in
          ('PENDING', 'AUTHORIZED', 'CAPTURED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'VOIDED', 'FAILED')),
        currency text not null,
        amount bigint not null check (amount >= 0),
        captured bigint not null default 0,
        refunded bigint not null default 0,
        refund_reserved bigint not null default 0,
        capturing boolean not null default false,
        cancel_reason text not null default '',
        order_cancelled boolean not null default false,
        failure_code text not null default '',
        provider_reference text not null default '',
        reference text not null default '',
        version int not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        constraint captured_within_amount check (captured between 0 and amount),
        constraint refunded_within_captured check (
          refunded >= 0 and refund_reserved >= 0 and refunded + refund_reserved <= captured)
      ) with (fillfactor = 60);
      create unique index payment_order on payment (order_id) where not by_hand;
      create index payment_user on payment (user_id, id desc);

      create table payment_attempt (
        payment_id text collate "C" not null,
        purpose text not null,
        state text not null check (state in ('created', 'unknown', 'succeeded', 'failed')),
        looks int not null default 0,
        next_at timestamptz not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        primary key (payment_id, purpose)
      ) with (fillfactor = 80);
      create index payment_attempt_open on payment_attempt (next_at) where state in ('created', 'unknown');

      create table refund (
        id text collate "C" primary key,
        payment_id text not null references payment (id),
        amount bigint not null check (amount > 0),
        status text not null check (status in ('PENDING', 'SUCCEEDED', 'FAILED')),
        reason text not null,
        created_at timestamptz not null
      );
      create index refund_payment on refund (payment_id, id);

      create table ledger_entry (
        sequence bigint generated always as identity primary key,
        payment_id text collate "C" not null,
        purpose text not null,
        account text not null,
        currency text not null,
        minor_units bigint not null,
        reason text not null,
        at timestamptz not null
      );
      create unique index ledger_entry_once on ledger_entry (payment_id, purpose, account);
      create function refuse_ledger_change() returns trigger language plpgsql as
        $$ begin raise exception 'the ledger is append-only' using errcode = 'check_violation'; end $$;
      create trigger ledger_append_only before update or delete or truncate on ledger_entry
        for each statement execute function refuse_ledger_change();

      create table provider_event (
        provider text not null,
        event_id text not null,
        at timestamptz not null,
        primary key (provider, event_id)
      );
      create index provider_event_at on provider_event using brin (at);
    `,
  },
];
