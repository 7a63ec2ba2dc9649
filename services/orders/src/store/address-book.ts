import type { Sql, Transaction } from '@souk/store';

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

/** Forgets where a user's orders went, except those that are still to be delivered. */
export async function eraseAddresses(sql: Sql, userId: string): Promise<void> {
  await sql.query(
    `delete from order_address a using order_view v
     where a.user_id = $1 and v.id = a.order_id and v.status in ('REJECTED', 'CANCELLED', 'DELIVERED')`,
    [userId],
  );
}
