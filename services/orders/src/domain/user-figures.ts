import type { OrderEvent, OrderStatus } from './order.ts';

/** What a user's orders come to, in one currency. */
export interface UserFigures {
  readonly orders: number;
  /** Confirmed, and not cancelled afterwards. */
  readonly confirmed: number;
  readonly rejected: number;
  readonly cancelled: number;
  /** Minor units of the confirmed ones. */
  readonly spent: bigint;
}

export const NOTHING: UserFigures = Object.freeze({ orders: 0, confirmed: 0, rejected: 0, cancelled: 0, spent: 0n });

/** Where an order stands as far as figures are concerned: on its way and received count as confirmed. */
export type CountedStatus = Extract<OrderStatus, 'PLACED' | 'CONFIRMED' | 'REJECTED' | 'CANCELLED'>;

/** Events that change figures, and what an order counts as after them. */
export const COUNTED_AS = {
  OrderPlaced: 'PLACED',
  OrderConfirmed: 'CONFIRMED',
  OrderRejected: 'REJECTED',
  OrderCancelled: 'CANCELLED',
} as const satisfies Partial<Record<OrderEvent['type'], CountedStatus>>;

/** What one order contributes. @param total Minor units. */
export const figuresOf = (status: CountedStatus | undefined, total: bigint): UserFigures =>
  status === undefined
    ? NOTHING
    : {
        orders: 1,
        confirmed: Number(status === 'CONFIRMED'),
        rejected: Number(status === 'REJECTED'),
        cancelled: Number(status === 'CANCELLED'),
        spent: status === 'CONFIRMED' ? total : 0n,
      };

/** Figures with an order's contribution exchanged for another one. */
export const exchanged = (figures: UserFigures, before: UserFigures, after: UserFigures): UserFigures => ({
  orders: figures.orders - before.orders + after.orders,
  confirmed: figures.confirmed - before.confirmed + after.confirmed,
  rejected: figures.rejected - before.rejected + after.rejected,
  cancelled: figures.cancelled - before.cancelled + after.cancelled,
  spent: figures.spent - before.spent + after.spent,
});
