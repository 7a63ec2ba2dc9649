import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type GetPointsRequest, PointsEntry_Reason } from '@souk/contracts/loyalty/v1/loyalty';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken, pageSize, serviceErrors } from '@souk/service';
import type { LoyaltyDeps } from '../deps.ts';
import { findBalance, listEntries } from '../store/points-repository.ts';

export const getPoints = (deps: LoyaltyDeps) => async (ctx: Context, request: GetPointsRequest) => {
  const { userId } = request;
  const sql = deps.db.at(ctx);
  const list = `points of ${userId}`;
  const limit = pageSize(request.pageSize);
  const before = position(request.pageToken, list);
  const [balance, found] = await Promise.all([
    findBalance(sql, userId),
    listEntries(sql, { userId, before, limit: limit + 1 }),
  ]);
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  return {
    userId,
    balance,
    entries: shown.map((entry) => ({
      orderId: entry.order_id,
      points: entry.points,
      reason: PointsEntry_Reason[entry.reason],
      at: timestampFromDate(entry.at),
    })),
    nextPageToken: found.length > limit && last ? encodePageToken(list, [String(last.id)]) : '',
  };
};

/** Id of the last entry of the page before. @throws SERVICE_PAGE_TOKEN_INVALID */
function position(token: string, list: string): string | undefined {
  const id = decodePageToken(token, list, 1)?.[0];
  if (id !== undefined && !/^\d{1,18}$/.test(id)) throw serviceErrors.PAGE_TOKEN_INVALID();
  return id;
}
