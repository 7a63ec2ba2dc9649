import type { ListUserOrdersRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken, pageSize, serviceErrors } from '@souk/service';
import { statusName } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import { type OrderPosition, type PositionedOrder, listUserOrders as query } from '../store/order-view.ts';
import { showOrders } from './show-order.ts';

export const listUserOrders = (deps: OrdersDeps) => async (ctx: Context, request: ListUserOrdersRequest) => {
  const sql = deps.db.at(ctx);
  const list = `orders of ${request.userId} ${request.status}`;
  const limit = pageSize(request.pageSize);
  const found = await query(sql, {
    userId: request.userId,
    status: statusName(request.status),
    after: position(request.pageToken, list),
    limit: limit + 1,
  });
  return page(list, limit, found, (orders) => showOrders(sql, orders));
};

/** @throws SERVICE_PAGE_TOKEN_INVALID */
export const position = (token: string, list: string): OrderPosition | undefined => {
  const key = decodePageToken(token, list, 2);
  if (key === undefined) return undefined;
  const [createdAt, id] = key as [string, string];
  // A time as it was sealed: of other years the database knows other spellings.
  if (!/^[1-9]\d{3}-/.test(createdAt) || !Number.isFinite(Date.parse(createdAt)))
    throw serviceErrors.PAGE_TOKEN_INVALID();
  return { createdAt: new Date(createdAt).toISOString(), id };
};

/** One more than a page was read, to know whether there is a next one. */
export async function page<T>(
  list: string,
  limit: number,
  found: readonly PositionedOrder[],
  show: (orders: readonly PositionedOrder[]) => Promise<T[]>,
): Promise<{ orders: T[]; nextPageToken: string }> {
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  const more = found.length > limit && last !== undefined;
  return {
    orders: await show(shown),
    nextPageToken: more ? encodePageToken(list, [last.createdAt, last.id]) : '',
  };
}
