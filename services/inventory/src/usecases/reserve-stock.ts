import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { StockLowSchema, StockReservedSchema } from '@souk/contracts/inventory/v1/events';
import type { ReserveStockRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import { reservationMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { toColumns, toLines } from '../domain/stock-line.ts';
import { inventoryErrors } from '../errors.ts';
import { findReservation, type Reservation, reserve } from '../store/reservation-repository.ts';

/**
 * Holds stock for an order, all lines or none. Repeating it returns the reservation there is.
 *
 * @throws INVENTORY_OUT_OF_STOCK, or INVENTORY_RESERVATION_RELEASED / _EXPIRED when the order has already given its stock back
 */
export const reserveStock = (deps: InventoryDeps) => async (ctx: Context, request: ReserveStockRequest) => {
  const columns = toColumns(request.lines);
  const id = deps.runtime.ids.next('rsv');
  const ttlMs = request.ttlSeconds * 1000 || deps.settings.defaultTtl;
  return deps.db.tx(ctx, async (tx) => {
    const now = deps.runtime.clock.now();
    const expiresAt = new Date(now + ttlMs);
    const { orderId } = request;
    const outcome = await reserve(tx, { orderId, id, ...columns, expiresAt, low: deps.settings.lowStock });
    if (!outcome.made) return reservationMessage(await existing(tx, orderId, outcome.short));
    const at = timestampFromDate(new Date(now));
    await deps.events.publish(tx, StockReservedSchema, {
      orderId,
      lines: toLines(columns.productIds, columns.quantities),
      expiresAt: timestampFromDate(expiresAt),
      at,
    });
    for (const { productId, available } of outcome.low) {
      await deps.events.publish(tx, StockLowSchema, { productId, available, at });
    }
    return reservationMessage({
      id,
      order_id: orderId,
      state: 'RESERVED',
      product_ids: columns.productIds,
      quantities: columns.quantities,
      expires_at: expiresAt,
    });
  });
};

/** Why nothing was taken: the order holds stock already, or has given it back, or there is too little. */
async function existing(tx: Transaction, orderId: string, short: readonly string[]): Promise<Reservation> {
  const reservation = await findReservation(tx, orderId);
  if (reservation?.state === 'RELEASED') throw inventoryErrors.RESERVATION_RELEASED();
  if (reservation?.state === 'EXPIRED') throw inventoryErrors.RESERVATION_EXPIRED();
  if (reservation === undefined) {
    const products = short.join(', ');
    throw inventoryErrors.OUT_OF_STOCK({ products }, { details: { products } });
  }
  return reservation;
}
