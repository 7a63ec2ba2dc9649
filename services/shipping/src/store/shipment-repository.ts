import type { Sql, Transaction } from '@souk/store';
import type { ShipmentLine, ShipmentStatus, TrackingEvent } from '../domain/shipment.ts';

export interface StoredAddress {
  readonly name: string;
  readonly line1: string;
  readonly line2: string;
  readonly city: string;
  readonly postalCode: string;
  readonly country: string;
}

export interface Shipment {
  readonly order_id: string;
  readonly id: string;
  readonly user_id: string;
  readonly status: ShipmentStatus;
  readonly carrier: string;
  readonly tracking_number: string;
  /** Empty once the customer was forgotten, and in a tombstone. */
  readonly address: StoredAddress | Record<string, never>;
  readonly lines: readonly ShipmentLine[];
  readonly tracking: readonly TrackingEvent[];
  readonly currency: string;
  readonly cost_minor: bigint;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const INSERT = `
  insert into shipment (order_id, id, user_id, status, carrier, tracking_number, address, lines, tracking, currency, cost_minor,
    created_at, updated_at)
  values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9::jsonb, $10, $11, $12, $12)
  on conflict (order_id) do nothing
  returning *`;

/** @returns undefined when the order has a shipment, or a tombstone, already */
export async function insertShipment(
  sql: Sql,
  shipment: Omit<Shipment, 'version' | 'updated_at'>,
): Promise<Shipment | undefined> {
  const { rows } = await sql.query<Shipment>(INSERT, [
    shipment.order_id,
    shipment.id,
    shipment.user_id,
    shipment.status,
    shipment.carrier,
    shipment.tracking_number,
    JSON.stringify(shipment.address),
    JSON.stringify(shipment.lines),
    JSON.stringify(shipment.tracking),
    shipment.currency,
    shipment.cost_minor,
    shipment.created_at,
  ]);
  return rows[0];
}

export async function findShipment(sql: Sql, orderId: string): Promise<Shipment | undefined> {
  const { rows } = await sql.query<Shipment>('select * from shipment where order_id = $1', [orderId]);
  return rows[0];
}

/** Reads the row for a change in the same transaction. */
export async function lockShipment(sql: Sql, orderId: string): Promise<Shipment | undefined> {
  const { rows } = await sql.query<Shipment>('select * from shipment where order_id = $1 for update', [orderId]);
  return rows[0];
}

/** Nothing is on its way any more. */
const ENDED = `('DELIVERED', 'CANCELLED', 'RETURNED', 'LOST')`;

const MOVE = `
  update shipment s set status = $2, tracking = tracking || $3::jsonb, version = version + 1, updated_at = $4,
    address = case
      when $2 in ${ENDED} and exists (select from forgotten_user f where f.user_id = s.user_id) then '{}' else address end
  where order_id = $1 returning *`;

/** Moves a locked shipment on. When it ends and its user was forgotten before, its address goes. */
export async function moveShipment(sql: Sql, orderId: string, event: TrackingEvent): Promise<Shipment> {
  const values = [orderId, event.status, JSON.stringify([event]), new Date(event.at)];
  const { rows } = await sql.query<Shipment>(MOVE, values);
  return rows[0] as Shipment;
}

/** Forgets where a user's parcels went; of those that are still under way, when they end. */
export async function eraseAddresses(tx: Transaction, userId: string): Promise<void> {
  await tx.query('insert into forgotten_user (user_id) values ($1) on conflict do nothing', [userId]);
  // A parcel that ends at this moment is either seen by the update, or sees that its user was forgotten.
  await tx.query('select from shipment where user_id = $1 order by order_id for update', [userId]);
  await tx.query(`update shipment set address = '{}' where user_id = $1 and status in ${ENDED}`, [userId]);
}
