import type { MessageInitShape } from '@bufbuild/protobuf';
import type { OrderSchema } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { mayActFor } from '@souk/service';
import type { Sql } from '@souk/store';
import { orderMessage } from '../api/order-message.ts';
import { orderErrors } from '../errors.ts';
import { findAddresses } from '../store/address-book.ts';
import { findOrder, type PositionedOrder } from '../store/order-view.ts';

/**
 * The order, if the caller may see it. Somebody else's order and no order look the same.
 * @throws ORDERS_NOT_FOUND
 */
export async function visibleOrder(sql: Sql, ctx: Context, id: string): Promise<PositionedOrder> {
  const order = await findOrder(sql, id);
  if (order === undefined || !mayActFor(ctx, order.userId)) throw orderErrors.NOT_FOUND({ id });
  return order;
}

/** Orders as the contract shows them, with their addresses. */
export async function showOrders(
  sql: Sql,
  orders: readonly PositionedOrder[],
): Promise<MessageInitShape<typeof OrderSchema>[]> {
  if (orders.length === 0) return [];
  const addresses = await findAddresses(
    sql,
    orders.map(({ id }) => id),
  );
  return orders.map((order) => orderMessage(order, addresses.get(order.id)));
}

export async function showOrder(sql: Sql, order: PositionedOrder): Promise<MessageInitShape<typeof OrderSchema>> {
  const addresses = await findAddresses(sql, [order.id]);
  return orderMessage(order, addresses.get(order.id));
}
