import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { StockReleasedSchema } from '@souk/contracts/inventory/v1/events';
import type { ReleaseStockRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import { reservationMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { toLines } from '../domain/stock-line.ts';
import { findReservation, type Reservation, release } from '../store/reservation-repository.ts';

const DEFAULT_REASON = 'RELEASED';

/** Gives back what an order holds. Before any reservation it leaves a tombstone, so that a late one is refused. */
export const releaseStock = (deps: InventoryDeps) => async (ctx: Context, request: ReleaseStockRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const released = await releaseIn(tx, deps, request.orderId, request.reason || DEFAULT_REASON);
    return reservationMessage(released ?? ((await findReservation(tx, request.orderId)) as Reservation));
  });

/** The release itself, in a transaction of the caller. @returns undefined when there was nothing to release */
export async function releaseIn(
  tx: Transaction,
  deps: InventoryDeps,
  orderId: string,
  reason: string,
): Promise<Reservation | undefined> {
  const now = new Date(deps.runtime.clock.now());
  const id = deps.runtime.ids.next('rsv');
  const released = await release(tx, { orderId, id, low: deps.settings.lowStock }, now);
  if (released && released.product_ids.length > 0) await announceReleased(tx, deps, released, reason, now);
  return released;
}

export async function announceReleased(
  tx: Transaction,
  deps: InventoryDeps,
  reservation: Reservation,
  reason: string,
  now: Date,
): Promise<void> {
  await deps.events.publish(tx, StockReleasedSchema, {
    orderId: reservation.order_id,
    lines: toLines(reservation.product_ids, reservation.quantities),
    reason,
    at: timestampFromDate(now),
  });
}
