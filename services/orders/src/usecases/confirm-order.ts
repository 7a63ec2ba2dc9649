import { OrderConfirmedSchema } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import { moneyMessage, timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import { orderErrors } from '../errors.ts';

/**
 * The point of no return. An order that was cancelled in the meantime refuses, and its saga turns back.
 *
 * @throws ORDERS_GONE_BEFORE_CONFIRMATION
 */
export async function confirmOrder(
  ctx: Context,
  deps: OrdersDeps,
  orderId: string,
  paymentId: string,
): Promise<Record<string, never>> {
  const { orders, waiters } = deps.parts;
  const at = new Date(deps.runtime.clock.now()).toISOString();
  await orders.retrying(ctx, async (tx) => {
    const { after, events } = await orders.change(tx, orderId, (order): OrderCommand | undefined => {
      if (order.status === 'CANCELLED' || order.status === 'REJECTED') {
        throw orderErrors.GONE_BEFORE_CONFIRMATION({ status: order.status });
      }
      // A repeat of a step whose answer was lost finds the order confirmed, or even shipped.
      if (order.status !== 'PLACED') return undefined;
      return { type: 'Confirm', paymentId, actor: 'orders', at };
    });
    if (events.length === 0) return;
    await deps.events.publish(tx, OrderConfirmedSchema, {
      orderId,
      userId: after.userId,
      total: moneyMessage(after.total),
      at: timestamp(at),
    });
    tx.afterCommit(() => {
      deps.count('order_confirmed');
      waiters.changed(after);
    });
  });
  return {};
}
