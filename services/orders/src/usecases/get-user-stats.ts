import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { GetUserStatsRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import type { OrdersDeps } from '../deps.ts';
import { type UserFigures, userFigures } from '../store/order-view.ts';

const CONFIRMED = ['CONFIRMED', 'SHIPPED', 'DELIVERED'];

export const getUserStats = (deps: OrdersDeps) => async (ctx: Context, request: GetUserStatsRequest) => {
  const figures = await userFigures(deps.db.at(ctx), request.userId);
  const count = (statuses: readonly string[]): number =>
    figures.reduce((sum, row) => (statuses.includes(row.status) ? sum + Number(row.orders) : sum), 0);
  const last = Math.max(...figures.map((row) => row.last.getTime()));
  return {
    userId: request.userId,
    orders: figures.reduce((sum, row) => sum + Number(row.orders), 0),
    confirmed: count(CONFIRMED),
    rejected: count(['REJECTED']),
    cancelled: count(['CANCELLED']),
    spent: spent(figures),
    ...(figures.length > 0 && { lastOrderAt: timestampFromDate(new Date(last)) }),
  };
};

function spent(figures: readonly UserFigures[]) {
  const sums = new Map<string, bigint>();
  for (const { status, currency, total } of figures) {
    if (CONFIRMED.includes(status)) sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(total));
  }
  return [...sums].map(([currency, minorUnits]) => ({ currency, minorUnits }));
}
