import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { GetUserStatsRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import type { OrdersDeps } from '../deps.ts';
import { findUserStats, type UserStatsRow, userStats } from '../store/user-stats.ts';

type Counted = 'orders' | 'confirmed' | 'rejected' | 'cancelled';

/** @throws PROJECTION_BEHIND when the figures do not show in time what the caller has seen; EVENTSTORE_POSITION_INVALID */
export const getUserStats = (deps: OrdersDeps) => async (ctx: Context, request: GetUserStatsRequest) => {
  const { userId, consistency } = request;
  if (consistency !== '') {
    await deps.projections.waitFor(ctx, userStats.name, consistency, deps.settings.maxConsistencyWait);
  }
  const rows = await findUserStats(deps.db.at(ctx), userId);
  const sum = (what: Counted): number => rows.reduce((all, row) => all + row[what], 0);
  return {
    userId,
    orders: sum('orders'),
    confirmed: sum('confirmed'),
    rejected: sum('rejected'),
    cancelled: sum('cancelled'),
    spent: rows.filter(({ confirmed }) => confirmed > 0).map(moneyOf),
    ...(rows.length > 0 && { lastOrderAt: timestampFromDate(lastOf(rows)) }),
  };
};

const moneyOf = ({ currency, spent }: UserStatsRow) => ({ currency, minorUnits: BigInt(spent) });

const lastOf = (rows: readonly UserStatsRow[]): Date =>
  new Date(Math.max(...rows.map(({ lastOrderAt }) => lastOrderAt.getTime())));
