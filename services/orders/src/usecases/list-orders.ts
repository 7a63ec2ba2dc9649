import type { ListOrdersRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { pageSize } from '@souk/service';
import { statusName } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import { listOrders as query } from '../store/order-view.ts';
import { page, position } from './list-user-orders.ts';
import { showOrders } from './show-order.ts';

export const listOrders = (deps: OrdersDeps) => async (ctx: Context, request: ListOrdersRequest) => {
  const sql = deps.db.at(ctx);
  const list = `orders ${request.status}`;
  const limit = pageSize(request.pageSize);
  const found = await query(sql, {
    status: statusName(request.status),
    after: position(request.pageToken, list),
    limit: limit + 1,
  });
  return page(list, limit, found, (orders) => showOrders(sql, orders));
};
