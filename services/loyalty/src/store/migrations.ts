import type { Migration } from '@souk/store';

export const loyaltyMigrations: readonly Migration[] = [
  {
    id: 'loyalty/0001-points',
    // points_entry is append-only, by trigger; points_account.balance is its sum. order_points decides who came first when an award and a
    // reversal of one order meet.
    sql: `
      create table points_account (
        user_id text primary key,
        balance int not null
      ) with (fillfactor = 70);

      create table order_points (
        order_id text primary key,
        user_id text,
        points int not null,
        state text not null check (state in ('EARNED', 'REVERSED'))
      );

      create table points_entry (
        id bigint generated always as identity primary key,
        user_id text not null,
        order_id text not null,
        points int not null,
        reason text not null check (reason in ('EARNED', 'REVERSED', 'ADJUSTED')),
        at timestamptz not null,
        unique (order_id, reason)
      );
      create index points_entry_user on points_entry (user_id, id desc);

      create function refuse_change() returns trigger language plpgsql as $$
        begin raise exception 'points_entry is append-only'; end $$;
      create trigger points_entry_append_only before update or delete on points_entry
        for each statement execute function refuse_change();
    `,
  },
];
