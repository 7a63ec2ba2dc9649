import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import type { OrderStatus } from '../domain/order.ts';
import { announceProgress } from './order-progress.ts';

/** What shipping reports, in the order's terms. */
const COMMANDS = {
  dispatched: { type: 'Ship', reason: 'DISPATCHED' },
  delivered: { type: 'Deliver', reason: 'DELIVERED' },
  cancelled: { type: 'RecordFulfilment', fulfilmentStatus: 'RETURNED' },
} as const;

/** Statuses in which a report of the carrier still moves the order; afterwards it is old news. */
const MOVABLE: readonly OrderStatus[] = ['CONFIRMED', 'SHIPPED'];

/** Notes in the order what happened to its goods. */
export const followShipment =
  (deps: OrdersDeps, report: keyof typeof COMMANDS) =>
  async (_ctx: Context, event: { readonly orderId: string }, delivery: Delivery) => {
    const at = new Date(deps.runtime.clock.now()).toISOString();
    await delivery.once(async (tx) => {
      const change = await deps.parts.orders.change(tx, event.orderId, (order): OrderCommand | undefined => {
        const moves = report === 'dispatched' || report === 'delivered';
        if (moves && !MOVABLE.includes(order.status)) return undefined;
        return { ...COMMANDS[report], actor: 'shipping', at };
      });
      await announceProgress(tx, deps, change);
    });
  };
