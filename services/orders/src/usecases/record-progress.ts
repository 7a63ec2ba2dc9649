import type { Context } from '@souk/kernel';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import type { Order, OrderStatus } from '../domain/order.ts';

/**
 * Notes in the order what the saga has done after its point of no return: the money was taken and a parcel arranged. What happened to
 * either since then, a refund or a dispatch, came by event and stays.
 *
 * @param captured How the payment stood after the capture: `VOIDED` when a cancellation came first.
 * @returns how the order stands
 */
export async function recordProgress(
  ctx: Context,
  deps: OrdersDeps,
  orderId: string,
  captured: string,
): Promise<{ readonly status: OrderStatus }> {
  const { orders } = deps.parts;
  const facts = { actor: 'orders', at: new Date(deps.runtime.clock.now()).toISOString() };
  const wanted = (order: Order): OrderCommand[] => [
    ...(order.paymentStatus === 'AUTHORIZED' && captured === 'CAPTURED'
      ? [{ type: 'RecordPayment', paymentStatus: 'CAPTURED', paymentId: order.paymentId, ...facts } as const]
      : []),
    ...(order.status === 'CONFIRMED' && order.fulfilmentStatus === 'RESERVED'
      ? [{ type: 'RecordFulfilment', fulfilmentStatus: 'PREPARING', ...facts } as const]
      : []),
  ];
  const { after } = await orders.retrying(ctx, (tx) => orders.change(tx, orderId, wanted));
  return { status: after.status };
}
