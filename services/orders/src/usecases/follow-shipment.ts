import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import type { FulfilmentStatus, Order, OrderStatus } from '../domain/order.ts';
import { announceProgress } from './order-progress.ts';

/** What shipping reports, in the order's terms. */
const MOVES = {
  dispatched: { type: 'Ship', reason: 'DISPATCHED' },
  delivered: { type: 'Deliver', reason: 'DELIVERED' },
} as const;

export type ShipmentReport = 'dispatched' | 'delivered' | 'cancelled' | 'not stopped';

/** Statuses in which a report of the carrier still moves the order. */
const MOVABLE: readonly OrderStatus[] = ['CONFIRMED', 'SHIPPED'];

/** Where the goods are of an order that does not move any more: it was cancelled in the moment its parcel left. */
const WHERE_THE_GOODS_ARE = { dispatched: 'IN_TRANSIT', delivered: 'RECEIVED', 'not stopped': 'IN_TRANSIT' } as const;

/** Notes in the order what happened to its goods. */
export const followShipment =
  (deps: OrdersDeps, report: ShipmentReport) =>
  async (_ctx: Context, event: { readonly orderId: string }, delivery: Delivery) => {
    const at = new Date(deps.runtime.clock.now()).toISOString();
    await delivery.once(async (tx) => {
      const change = await deps.parts.orders.change(tx, event.orderId, (order) => commandFor(order, report, at));
      await announceProgress(tx, deps, change);
    });
  };

function commandFor(order: Order, report: ShipmentReport, at: string): OrderCommand | undefined {
  const facts = { actor: 'shipping', at };
  const note = (fulfilmentStatus: FulfilmentStatus): OrderCommand => ({
    type: 'RecordFulfilment',
    fulfilmentStatus,
    ...facts,
  });
  if (report === 'cancelled') return note('RETURNED');
  if (report !== 'not stopped' && MOVABLE.includes(order.status)) return { ...MOVES[report], ...facts };
  // Old news, unless the goods of a cancelled order are on their way after all.
  if (order.status !== 'CANCELLED' || order.fulfilmentStatus === 'RECEIVED') return undefined;
  return note(WHERE_THE_GOODS_ARE[report]);
}
