import { orderErrors } from '../errors.ts';
import type { FulfilmentStatus, Order, OrderEvent, OrderStatus, PaymentStatus } from './order.ts';

/** What may be asked of an order. `at` is RFC 3339, `actor` a user's id or a service's name. */
export type OrderCommand = { readonly at: string; readonly actor: string } & (
  | { readonly type: 'Confirm'; readonly paymentId: string }
  | { readonly type: 'Reject'; readonly reason: string }
  | { readonly type: 'Ship'; readonly reason: string }
  | { readonly type: 'Deliver'; readonly reason: string }
  | { readonly type: 'Cancel'; readonly reason: string }
  | { readonly type: 'RecordPayment'; readonly paymentStatus: PaymentStatus; readonly paymentId: string }
  | { readonly type: 'RecordFulfilment'; readonly fulfilmentStatus: FulfilmentStatus }
);

/** Where an order may go from each status (O1). */
export const LEGAL_MOVES: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  PLACED: ['CONFIRMED', 'REJECTED', 'CANCELLED'],
  CONFIRMED: ['SHIPPED', 'CANCELLED'],
  SHIPPED: ['DELIVERED'],
  DELIVERED: [],
  REJECTED: [],
  CANCELLED: [],
};

/**
 * What a command does to an order. No events: what was asked for is already so.
 *
 * @throws ORDERS_ILLEGAL_TRANSITION with the moves that are allowed
 */
export function decide(order: Order, command: OrderCommand): OrderEvent[] {
  const { at, actor } = command;
  switch (command.type) {
    case 'Confirm':
      return move(order, 'CONFIRMED', { type: 'OrderConfirmed', paymentId: command.paymentId, at, actor });
    case 'Reject':
      return move(order, 'REJECTED', { type: 'OrderRejected', reason: command.reason, at, actor });
    case 'Ship':
      return move(order, 'SHIPPED', { type: 'OrderShipped', reason: command.reason, at, actor });
    case 'Deliver':
      return move(order, 'DELIVERED', { type: 'OrderDelivered', reason: command.reason, at, actor });
    case 'Cancel':
      return move(order, 'CANCELLED', { type: 'OrderCancelled', reason: command.reason, at, actor });
    case 'RecordPayment': {
      const { paymentStatus, paymentId } = command;
      if (order.paymentStatus === paymentStatus) return [];
      return [{ type: 'PaymentProgressed', paymentStatus, paymentId, at, actor }];
    }
    case 'RecordFulfilment': {
      if (order.fulfilmentStatus === command.fulfilmentStatus) return [];
      return [{ type: 'FulfilmentProgressed', fulfilmentStatus: command.fulfilmentStatus, at, actor }];
    }
  }
}

function move(order: Order, to: OrderStatus, event: OrderEvent): OrderEvent[] {
  if (order.status === to) return [];
  const allowed = LEGAL_MOVES[order.status];
  if (!allowed.includes(to)) {
    const list = allowed.join(', ') || 'nothing';
    throw orderErrors.ILLEGAL_TRANSITION(
      { from: order.status, to, allowed: list },
      { details: { from: order.status, to, allowed: allowed.join(',') } },
    );
  }
  return [event];
}
