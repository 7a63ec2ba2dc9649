import type { GetOrderRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import type { OrdersDeps } from '../deps.ts';
import { showOrder, visibleOrder } from './show-order.ts';

export const getOrder = (deps: OrdersDeps) => async (ctx: Context, request: GetOrderRequest) => {
  const sql = deps.db.at(ctx);
  return showOrder(sql, await visibleOrder(sql, ctx, request.id));
};
