import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { StockCommittedSchema } from '@souk/contracts/inventory/v1/events';
import type { CommitReservationRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import { reservationMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { toLines } from '../domain/stock-line.ts';
import { inventoryErrors } from '../errors.ts';
import { commit, commitExpired, findReservation } from '../store/reservation-repository.ts';

/**
 * Turns what a confirmed order holds into a sale. The order is past its point of no return, so an expired reservation is taken anew, and
 * one that a cancellation gave back stays given back.
 *
 * @throws INVENTORY_RESERVATION_UNKNOWN, or INVENTORY_STOCK_GONE (retry later) when it expired and the stock was sold
 */
export const commitReservation = (deps: InventoryDeps) => async (ctx: Context, request: CommitReservationRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const { orderId } = request;
    const now = new Date(deps.runtime.clock.now());
    const committed = (await commit(tx, orderId, now)) ?? (await commitExpired(tx, orderId, now));
    if (committed === undefined) {
      const current = await findReservation(tx, orderId);
      if (current === undefined) throw inventoryErrors.RESERVATION_UNKNOWN({ orderId });
      if (current.state === 'EXPIRED' || current.state === 'RESERVED') throw inventoryErrors.STOCK_GONE({ orderId });
      return reservationMessage(current);
    }
    await deps.events.publish(tx, StockCommittedSchema, {
      orderId,
      lines: toLines(committed.product_ids, committed.quantities),
      at: timestampFromDate(now),
    });
    return reservationMessage(committed);
  });
