import { OrderConfirmedSchema } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import { moneyMessage, timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import { orderErrors } from '../errors.ts';
import { announceRejection } from './reject-order.ts';

/** What it takes from here until the stock is sold, and what clocks may differ. Milliseconds. */
const TO_SELL_MS = 5000;

/**
 * The point of no return. An order that was cancelled in the meantime refuses, and its saga turns back; so does one whose stock may
 * be somebody else's by now: it would be paid for and never sent.
 *
 * @param heldUntil Until when its stock is held, in milliseconds since 1970; null when it is not known.
 * @throws ORDERS_GONE_BEFORE_CONFIRMATION, ORDERS_RESERVATION_EXPIRED
 */
export async function confirmOrder(
  ctx: Context,
  deps: OrdersDeps,
  orderId: string,
  paymentId: string,
  heldUntil: number | null = null,
): Promise<Record<string, never>> {
  const { orders, waiters } = deps.parts;
  const now = deps.runtime.clock.now();
  const at = new Date(now).toISOString();
  const expired = heldUntil !== null && now > heldUntil - TO_SELL_MS;
  const { status } = await orders.retrying(ctx, async (tx) => {
    const { after, events } = await orders.change(tx, orderId, (order): OrderCommand | undefined => {
      if (order.status === 'CANCELLED' || order.status === 'REJECTED') {
        throw orderErrors.GONE_BEFORE_CONFIRMATION({ status: order.status });
      }
      // A repeat of a step whose answer was lost finds the order confirmed, or even shipped.
      if (order.status !== 'PLACED') return undefined;
      // Written down, not only refused: a confirmation that is still on its way then finds the order rejected.
      if (expired) return { type: 'Reject', reason: 'RESERVATION_EXPIRED', actor: 'orders', at };
      return { type: 'Confirm', paymentId, actor: 'orders', at };
    });
    if (events.length === 0) return after;
    if (after.status === 'REJECTED') {
      await announceRejection(tx, deps, after, at);
      return after;
    }
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
    return after;
  });
  if (status === 'REJECTED') throw orderErrors.RESERVATION_EXPIRED();
  return {};
}
