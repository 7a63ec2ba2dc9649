import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import type { CancelOrderRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { actorOf, checkEtag } from '@souk/service';
import type { Transaction } from '@souk/store';
import { lineMessage, moneyMessage, timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { PositionedOrder } from '../store/order-view.ts';
import { showOrder, visibleOrder } from './show-order.ts';

const DEFAULT_REASON = 'CANCELLED_BY_CUSTOMER';

/**
 * Cancels an order that has not left the house. Whoever has done a part of it undoes it on hearing the event; a saga that has not passed
 * its pivot turns back at once.
 */
export function cancelOrder(deps: OrdersDeps) {
  return async (ctx: Context, request: CancelOrderRequest) => {
    await visibleOrder(deps.db.at(ctx), ctx, request.id);
    const order = await deps.parts.orders.retrying(ctx, (tx) =>
      cancelIn(tx, deps, { ...request, actor: actorOf(ctx), reason: request.reason || DEFAULT_REASON }),
    );
    return showOrder(deps.db.at(ctx), order);
  };
}

/** The cancellation itself, in a transaction of the caller. */
export async function cancelIn(
  tx: Transaction,
  deps: OrdersDeps,
  request: { id: string; reason: string; actor: string; etag: string },
): Promise<PositionedOrder> {
  const { orders, waiters } = deps.parts;
  const at = new Date(deps.runtime.clock.now()).toISOString();
  const { reason, actor } = request;
  const { before, after, events } = await orders.change(tx, request.id, (order) => {
    checkEtag(request.etag, order.version);
    return { type: 'Cancel', reason, actor, at };
  });
  if (events.length === 0) return after;
  // In the transaction that cancels, so one is as sure as the other. A pivot under way waits for this transaction, finds the order
  // cancelled and refuses: it cannot confirm in between.
  if (before?.status === 'PLACED') await deps.sagas.cancel(tx, after.id, { reason, actor, actionId: after.id });
  await deps.events.publish(tx, OrderCancelledSchema, {
    orderId: after.id,
    userId: after.userId,
    items: after.lines.map(lineMessage),
    total: moneyMessage(after.total),
    reason,
    at: timestamp(at),
  });
  tx.afterCommit(() => {
    deps.count('order_cancelled');
    waiters.changed(after);
  });
  return after;
}
