import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  Order_FulfilmentStatus,
  Order_PaymentStatus,
  Order_Status,
  type OrderLineSchema,
  type OrderSchema,
} from '@souk/contracts/orders/v1/orders';
import type { Money, OrderLine, OrderStatus } from '../domain/order.ts';
import type { StoredAddress } from '../store/address-book.ts';
import type { PositionedOrder } from '../store/order-view.ts';

export const moneyMessage = (money: Money) => ({ currency: money.currency, minorUnits: BigInt(money.minorUnits) });

export const timestamp = (rfc3339: string) => timestampFromDate(new Date(rfc3339));

export const lineMessage = (line: OrderLine): MessageInitShape<typeof OrderLineSchema> => ({
  productId: line.productId,
  name: line.name,
  quantity: line.quantity,
  unitPrice: moneyMessage(line.unitPrice),
  lineTotal: moneyMessage(line.lineTotal),
});

/** An order as the contract shows it. `address` is undefined once it was erased. */
export const orderMessage = (
  order: PositionedOrder,
  address: StoredAddress | undefined,
): MessageInitShape<typeof OrderSchema> => ({
  id: order.id,
  userId: order.userId,
  status: Order_Status[order.status],
  reason: order.reason,
  items: order.lines.map(lineMessage),
  total: moneyMessage(order.total),
  paymentStatus: Order_PaymentStatus[order.paymentStatus],
  fulfilmentStatus: Order_FulfilmentStatus[order.fulfilmentStatus],
  ...(address && { shippingAddress: address }),
  createdAt: timestamp(order.createdAt),
  updatedAt: timestamp(order.updatedAt),
  version: order.version,
  paymentId: order.paymentId,
  position: order.position,
});

/** The name of a status; undefined for "any". */
export const statusName = (status: Order_Status): OrderStatus | undefined =>
  status === Order_Status.STATUS_UNSPECIFIED ? undefined : (Order_Status[status] as OrderStatus);
