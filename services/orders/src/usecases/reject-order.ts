import { OrderRejectedSchema } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import { timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { PositionedOrder } from '../store/order-view.ts';

/** The end of an order whose saga turned back. One that was cancelled meanwhile stays cancelled. */
export async function rejectOrder(ctx: Context, deps: OrdersDeps, orderId: string, reason: string): Promise<void> {
  const { orders } = deps.parts;
  const at = new Date(deps.runtime.clock.now()).toISOString();
  await orders.retrying(ctx, async (tx) => {
    const { after, events } = await orders.change(tx, orderId, (order) =>
      order.status === 'CANCELLED' ? undefined : { type: 'Reject', reason, actor: 'orders', at },
    );
    if (events.length > 0) await announceRejection(tx, deps, after, at);
  });
}

/** Publishes that an order was rejected, and tells those who wait for it. */
export async function announceRejection(
  tx: Transaction,
  deps: OrdersDeps,
  order: PositionedOrder,
  at: string,
): Promise<void> {
  const { id: orderId, userId, reason } = order;
  await deps.events.publish(tx, OrderRejectedSchema, { orderId, userId, reason, at: timestamp(at) });
  tx.afterCommit(() => {
    deps.count('order_rejected');
    deps.parts.waiters.changed(order);
  });
}
