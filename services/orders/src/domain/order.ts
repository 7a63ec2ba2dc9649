/*
 * An order, as the fold of its events.
 *
 *   PLACED --confirm--> CONFIRMED --ship--> SHIPPED --deliver--> DELIVERED
 *      |                    |
 *      +--reject--> REJECTED+--cancel--> CANCELLED   (also from PLACED)
 *
 * O1 status follows the arrows above.  O2 version counts the events, from 1 without gaps.  O3 lines and total never change.
 * Payment and fulfilment are axes of their own: money may come back after the order ended.
 */

export type OrderStatus = 'PLACED' | 'CONFIRMED' | 'REJECTED' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED';
export type PaymentStatus = 'PENDING' | 'AUTHORIZED' | 'CAPTURED' | 'VOIDED' | 'REFUNDED' | 'REFUND_FAILED' | 'FAILED';
export type FulfilmentStatus = 'UNALLOCATED' | 'RESERVED' | 'PREPARING' | 'IN_TRANSIT' | 'RECEIVED' | 'RETURNED';

/** Minor units as decimal text: it must survive JSON, and amounts may exceed what a double holds. */
export type Money = {
  readonly currency: string;
  readonly minorUnits: string;
};

/** A snapshot taken when the order was placed. */
export interface OrderLine {
  readonly productId: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: Money;
  readonly lineTotal: Money;
}

export interface Order {
  readonly id: string;
  readonly userId: string;
  readonly status: OrderStatus;
  readonly reason: string;
  readonly lines: readonly OrderLine[];
  readonly total: Money;
  readonly paymentStatus: PaymentStatus;
  readonly fulfilmentStatus: FulfilmentStatus;
  readonly paymentId: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly version: number;
}

/** When, and caused by whom. */
interface Happened {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** A user's id or a service's name. */
  readonly actor: string;
}

export type OrderEvent = Happened &
  (
    | {
        readonly type: 'OrderPlaced';
        readonly orderId: string;
        readonly userId: string;
        readonly lines: readonly OrderLine[];
        readonly total: Money;
      }
    | { readonly type: 'OrderConfirmed'; readonly paymentId: string }
    | { readonly type: 'OrderRejected'; readonly reason: string }
    | { readonly type: 'OrderShipped'; readonly reason: string }
    | { readonly type: 'OrderDelivered'; readonly reason: string }
    | { readonly type: 'OrderCancelled'; readonly reason: string }
    | { readonly type: 'PaymentProgressed'; readonly paymentStatus: PaymentStatus; readonly paymentId: string }
    | { readonly type: 'FulfilmentProgressed'; readonly fulfilmentStatus: FulfilmentStatus }
  );

export type OrderEventType = OrderEvent['type'];

/** Applies one event. Events were legal when they were decided, so this never refuses. */
export function evolve(order: Order | undefined, event: OrderEvent): Order {
  if (event.type === 'OrderPlaced') return placed(event);
  const base = { ...(order as Order), updatedAt: event.at, version: (order as Order).version + 1 };
  switch (event.type) {
    case 'OrderConfirmed':
      return {
        ...base,
        status: 'CONFIRMED',
        paymentStatus: 'AUTHORIZED',
        paymentId: event.paymentId,
        fulfilmentStatus: 'RESERVED',
      };
    case 'OrderRejected':
      return { ...base, status: 'REJECTED', reason: event.reason };
    case 'OrderShipped':
      return { ...base, status: 'SHIPPED', fulfilmentStatus: 'IN_TRANSIT' };
    case 'OrderDelivered':
      return { ...base, status: 'DELIVERED', fulfilmentStatus: 'RECEIVED' };
    case 'OrderCancelled':
      return { ...base, status: 'CANCELLED', reason: event.reason };
    case 'PaymentProgressed':
      return { ...base, paymentStatus: event.paymentStatus, paymentId: event.paymentId };
    case 'FulfilmentProgressed':
      return { ...base, fulfilmentStatus: event.fulfilmentStatus };
  }
}

/** Whether no move leads on from here. */
export const hasEnded = ({ status }: Order): boolean =>
  status === 'REJECTED' || status === 'DELIVERED' || status === 'CANCELLED';

/** Whether nothing more is to be told: it has ended, and no money that was taken is on its way back. */
export const isSettled = (order: Order): boolean =>
  hasEnded(order) &&
  !(order.status === 'CANCELLED' && (order.paymentStatus === 'AUTHORIZED' || order.paymentStatus === 'CAPTURED'));

/** The state after all events of a stream; undefined for an empty one. */
export const fold = (events: Iterable<OrderEvent>): Order | undefined => {
  let order: Order | undefined;
  for (const event of events) order = evolve(order, event);
  return order;
};

const placed = (event: Extract<OrderEvent, { type: 'OrderPlaced' }>): Order => ({
  id: event.orderId,
  userId: event.userId,
  status: 'PLACED',
  reason: '',
  lines: event.lines,
  total: event.total,
  paymentStatus: 'PENDING',
  fulfilmentStatus: 'UNALLOCATED',
  paymentId: '',
  createdAt: event.at,
  updatedAt: event.at,
  version: 1,
});
