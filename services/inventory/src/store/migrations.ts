import type { Migration } from '@souk/store';

export const inventoryMigrations: readonly Migration[] = [
  {
    id: 'inventory/0001-stock',
    // fillfactor leaves room for updates in place: stock rows change with every order. Every change of on_hand has a stock_move, so that
    // their sum explains what is there; the unique key makes each reason count once.
    sql: `
      create table stock (
        product_id text primary key,
        on_hand int not null check (on_hand >= 0),
        reserved int not null default 0 check (reserved >= 0 and reserved <= on_hand),
        version int not null default 1,
        low_announced boolean not null default false
      ) with (fillfactor = 70);

      create table reservation (
        order_id text primary key,
        id text not null,
        state text not null check (state in ('RESERVED', 'COMMITTED', 'RELEASED', 'EXPIRED')),
        product_ids text[] not null,
        quantities int[] not null,
        expires_at timestamptz not null
      ) with (fillfactor = 80);
      create index reservation_expiry on reservation (expires_at) where state = 'RESERVED';

      create table stock_move (
        product_id text not null,
        delta int not null,
        reason text not null check (reason in ('import', 'count', 'sale', 'return')),
        ref text not null,
        at timestamptz not null,
        primary key (ref, reason, product_id)
      );
    `,
  },
  {
    id: 'inventory/0002-left-the-house',
    // Goods of a cancelled order that could not be held back are not on the shelf, whatever the cancellation says.
    sql: `
      alter table reservation add column left_house boolean not null default false;
      alter table stock_move drop constraint stock_move_reason_check;
      alter table stock_move add constraint stock_move_reason_check
        check (reason in ('import', 'count', 'sale', 'return', 'not-returned'));
    `,
  },
];
