import type { Sql, Transaction } from '@souk/store';
import type { Order } from '../domain/order.ts';

/** Where an order goes. Personal: kept apart from the events, erased with the user. */
export interface StoredAddress {
  readonly name: string;
  readonly line1: string;
  readonly line2: string;
  readonly city: string;
  readonly postalCode: string;
  readonly country: string;
}

export function saveAddress(tx: Transaction, orderId: string, userId: string, address: StoredAddress): void {
  tx.defer('insert into order_address (order_id, user_id, address) values ($1, $2, $3::jsonb)', [
    orderId,
    userId,
    JSON.stringify(address),
  ]);
}

/** @returns no entry for orders whose address was erased */
export async function findAddresses(
  sql: Sql,
  orderIds: readonly string[],
): Promise<ReadonlyMap<string, StoredAddress>> {
  const { rows } = await sql.query<{ order_id: string; address: StoredAddress }>(
    'select order_id, address from order_address where order_id = any($1)',
    [orderIds],
  );
  return new Map(rows.map((row) => [row.order_id, row.address]));
}

/** Forgets where a user's orders went; of those that are still to be delivered, when they end. */
export async function eraseAddresses(tx: Transaction, userId: string): Promise<void> {
  await tx.query('insert into forgotten_user (user_id) values ($1) on conflict do nothing', [userId]);
  // An order that ends at this moment is either seen by the delete, or sees that its user was forgotten.
  await tx.query('select from order_view where user_id = $1 order by id for update', [userId]);
  await tx.query(
    `delete from order_address a using order_view v
     where a.user_id = $1 and v.id = a.order_id and v.status in ('REJECTED', 'CANCELLED', 'DELIVERED')`,
    [userId],
  );
}

/** Forgets where an order went that has just ended, if its user was forgotten before. Comes after its view was written. */
export function eraseForgotten(tx: Transaction, order: Order): void {
  tx.defer('delete from order_address a using forgotten_user f where a.order_id = $1 and f.user_id = a.user_id', [
    order.id,
  ]);
}
