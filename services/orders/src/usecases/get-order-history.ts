import { type GetOrderHistoryRequest, Order_Status } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import { evolve, type Order, type OrderEvent } from '../domain/order.ts';
import { visibleOrder } from './show-order.ts';

/** Every transition, read from the events themselves. */
export const getOrderHistory = (deps: OrdersDeps) => async (ctx: Context, request: GetOrderHistoryRequest) => {
  const sql = deps.db.at(ctx);
  await visibleOrder(sql, ctx, request.id);
  let before: Order | undefined;
  const transitions = (await deps.parts.orders.events(sql, request.id)).map((event) => {
    const after = evolve(before, event);
    const transition = {
      version: after.version,
      event: event.type,
      from: before ? Order_Status[before.status] : Order_Status.STATUS_UNSPECIFIED,
      to: Order_Status[after.status],
      at: timestamp(event.at),
      actor: event.actor,
      reason: reasonOf(event),
    };
    before = after;
    return transition;
  });
  return { transitions };
};

/** What the event adds to its name. */
function reasonOf(event: OrderEvent): string {
  switch (event.type) {
    case 'PaymentProgressed':
      return event.paymentStatus;
    case 'FulfilmentProgressed':
      return event.fulfilmentStatus;
    case 'OrderPlaced':
    case 'OrderConfirmed':
      return '';
    default:
      return event.reason;
  }
}
