import { OrderRejectedSchema } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import { timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';

/** The end of an order whose saga turned back. One that was cancelled meanwhile stays cancelled. */
export async function rejectOrder(ctx: Context, deps: OrdersDeps, orderId: string, reason: string): Promise<void> {
  const { orders, waiters } = deps.parts;
  const at = new Date(deps.runtime.clock.now()).toISOString();
  await orders.retrying(ctx, async (tx) => {
    const { after, events } = await orders.change(tx, orderId, (order) =>
      order.status === 'CANCELLED' ? undefined : { type: 'Reject', reason, actor: 'orders', at },
    );
    if (events.length === 0) return;
    await deps.events.publish(tx, OrderRejectedSchema, { orderId, userId: after.userId, reason, at: timestamp(at) });
    tx.afterCommit(() => {
      deps.count('order_rejected');
      waiters.changed(after);
    });
  });
}
