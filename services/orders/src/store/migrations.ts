import type { Migration } from '@souk/store';

export const ordersMigrations: readonly Migration[] = [
  {
    id: 'orders/0001-orders',
    // order_view is a projection, written in the transaction of the events it shows; order_address is kept out of the events so
    // that personal data can be erased.
    sql: `
      create table order_view (
        id text primary key,
        user_id text not null,
        status text not null,
        payment_status text not null,
        currency text not null,
        total_minor numeric(20) not null,
        state jsonb not null,
        version int not null,
        created_at timestamptz not null
      ) with (fillfactor = 70);
      create index order_view_user on order_view (user_id, created_at desc, id desc);
      create index order_view_status on order_view (status, created_at desc, id desc);

      create table order_address (
        order_id text primary key,
        user_id text not null,
        address jsonb not null
      );
      create index order_address_user on order_address (user_id);
    `,
  },
  {
    id: 'orders/0002-forgotten',
    // Whose addresses go as soon as their orders have ended.
    sql: 'create table forgotten_user (user_id text primary key);',
  },
  {
    id: 'orders/0003-position',
    // Of the last event of the order. Null: it was written before positions were kept.
    sql: 'alter table order_view add column position text;',
  },
];
