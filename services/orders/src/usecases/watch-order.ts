import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  Order_FulfilmentStatus,
  Order_PaymentStatus,
  Order_Status,
  type OrderUpdateSchema,
  type WatchOrderRequest,
} from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import { evolve, isSettled, type Order, type OrderEvent } from '../domain/order.ts';
import { visibleOrder } from './show-order.ts';

type Update = MessageInitShape<typeof OrderUpdateSchema>;

/** Every change of an order, those that the caller has not seen first, until nothing more is to come. */
export const watchOrder = (deps: OrdersDeps) =>
  async function* (ctx: Context, request: WatchOrderRequest): AsyncGenerator<Update> {
    const { orders, feed } = deps.parts;
    // Followed before it is read: a change between the two would be missed the other way round.
    using followed = feed.follow(request.id);
    await visibleOrder(deps.db.at(ctx), ctx, request.id);
    for (let seen = Number(request.after || 0); ; ) {
      let order: Order | undefined;
      for (const event of await orders.events(deps.db.at(ctx), request.id)) {
        order = evolve(order, event);
        if (order.version <= seen) continue;
        seen = order.version;
        yield updateOf(event, order);
      }
      if (order === undefined || isSettled(order)) return;
      await followed.beyond(order.version, ctx.signal);
    }
  };

const updateOf = (event: OrderEvent, order: Order): Update => ({
  version: order.version,
  event: event.type,
  status: Order_Status[order.status],
  reason: order.reason,
  paymentStatus: Order_PaymentStatus[order.paymentStatus],
  fulfilmentStatus: Order_FulfilmentStatus[order.fulfilmentStatus],
  at: timestamp(event.at),
});
