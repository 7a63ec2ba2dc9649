import type { Migration } from '@souk/store';

export const shippingMigrations: readonly Migration[] = [
  {
    id: 'shipping/0001-shipments',
    sql: `
      create table shipment (
        order_id text primary key,
        id text not null unique,
        user_id text not null,
        status text not null,
        carrier text not null,
        tracking_number text not null,
        address jsonb not null,
        lines jsonb not null,
        tracking jsonb not null,
        currency text not null,
        cost_minor bigint not null,
        version int not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      create index shipment_user on shipment (user_id);
    `,
  },
  {
    id: 'shipping/0002-forgotten',
    // Whose addresses go as soon as their parcels have ended.
    sql: 'create table forgotten_user (user_id text primary key);',
  },
];
