import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { PointsAwardedSchema } from '@souk/contracts/loyalty/v1/events';
import type { AwardPointsRequest } from '@souk/contracts/loyalty/v1/loyalty';
import type { Context } from '@souk/kernel';
import { currencyExponent } from '@souk/schema';
import type { LoyaltyDeps } from '../deps.ts';
import { pointsFor } from '../domain/points.ts';
import { award, findBalance, findOrderPoints } from '../store/points-repository.ts';

/** Awards the points of an order, once. An order whose points were taken back before they came earns none. */
export const awardPoints = (deps: LoyaltyDeps) => async (ctx: Context, request: AwardPointsRequest) => {
  const { orderId, userId } = request;
  const { currency = 'EUR', minorUnits = 0n } = request.amount ?? {};
  const earned = pointsFor(minorUnits, currencyExponent(currency), deps.settings.pointsPerHundred);
  return deps.db.tx(ctx, async (tx) => {
    const now = new Date(deps.runtime.clock.now());
    const change = await award(tx, { orderId, userId, points: earned }, now);
    if (change === undefined) {
      const { points } = await findOrderPoints(tx, orderId);
      return { userId, points, balance: await findBalance(tx, userId) };
    }
    const { points, balance } = change;
    await deps.events.publish(tx, PointsAwardedSchema, {
      userId,
      orderId,
      points,
      balance,
      at: timestampFromDate(now),
    });
    tx.afterCommit(() => deps.count('points_awarded'));
    return { userId, points, balance };
  });
};
