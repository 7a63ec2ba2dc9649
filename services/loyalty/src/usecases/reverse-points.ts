import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { PointsReversedSchema } from '@souk/contracts/loyalty/v1/events';
import type { ReversePointsRequest } from '@souk/contracts/loyalty/v1/loyalty';
import type { OrderCancelled } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { Transaction } from '@souk/store';
import type { LoyaltyDeps } from '../deps.ts';
import { findBalance, findOrderPoints, reverse } from '../store/points-repository.ts';

/** Takes back the points of an order, once. Before any award it makes sure that none will come. */
export const reversePoints = (deps: LoyaltyDeps) => async (ctx: Context, request: ReversePointsRequest) =>
  deps.db.tx(ctx, async (tx) => {
    await reverseIn(tx, deps, request.orderId);
    const { userId, points } = await findOrderPoints(tx, request.orderId);
    return { userId, points, balance: await findBalance(tx, userId) };
  });

/** A cancelled order loses its points. */
export const onOrderCancelled =
  (deps: LoyaltyDeps) => async (_ctx: Context, event: OrderCancelled, delivery: Delivery) => {
    await delivery.once((tx) => reverseIn(tx, deps, event.orderId));
  };

async function reverseIn(tx: Transaction, deps: LoyaltyDeps, orderId: string): Promise<void> {
  const now = new Date(deps.runtime.clock.now());
  const change = await reverse(tx, orderId, now);
  if (change === undefined) return;
  const { user_id: userId, points, balance } = change;
  await deps.events.publish(tx, PointsReversedSchema, { userId, orderId, points, balance, at: timestampFromDate(now) });
  tx.afterCommit(() => deps.count('points_reversed'));
}
