import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import type { Handlers } from '../src/index.ts';

// Compiled from proto/shop/v1/shop.proto. After a change of it, from the root:
//   buf build --config platform/rpc/test/buf.yaml --path platform/rpc/test/proto/shop --exclude-source-info \
//     --as-file-descriptor-set -o platform/rpc/test/shop.binpb
const bytes = readFileSync(new URL('./shop.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));

export type Address = Message<'shop.v1.Address'> & { line: string; country: string };
export type Item = Message<'shop.v1.Item'> & { productId: string; quantity: number };
export type Order = Message<'shop.v1.Order'> & {
  id: string;
  userId: string;
  status: number;
  items: Item[];
  total: bigint;
  version: number;
  createdAt?: Timestamp;
  address?: Address;
};
type PlaceOrderRequest = Message<'shop.v1.PlaceOrderRequest'> & {
  userId: string;
  items: Item[];
  shippingAddress?: Address;
  prefer: string;
};
type GetOrderRequest = Message<'shop.v1.GetOrderRequest'> & { id: string };
type ListOrdersRequest = Message<'shop.v1.ListOrdersRequest'> & {
  userId: string;
  pageSize: number;
  tags: string[];
  status: number;
  total?: Message<'shop.v1.ListOrdersRequest.Range'> & { from: bigint; to: bigint };
  open: boolean;
};
type ListOrdersResponse = Message<'shop.v1.ListOrdersResponse'> & { orders: Order[]; nextPageToken: string };
type UpdateOrderRequest = Message<'shop.v1.UpdateOrderRequest'> & { id: string; status: number; etag: string };
type SetAddressRequest = Message<'shop.v1.SetAddressRequest'> & { id: string; address?: Address };
type TakeNoticeRequest = Message<'shop.v1.TakeNoticeRequest'> & {
  provider: string;
  payload: Uint8Array;
  signature: string;
};
type ReserveStockRequest = Message<'shop.v1.ReserveStockRequest'> & { productId: string };
type ReserveStockResponse = Message<'shop.v1.ReserveStockResponse'> & { left: number };

type Unary<TInput extends Message, TOutput extends Message> = {
  methodKind: 'unary';
  input: GenMessage<TInput>;
  output: GenMessage<TOutput>;
};

export const ShopService = registry.getService('shop.v1.ShopService') as DescService as GenService<{
  placeOrder: Unary<PlaceOrderRequest, Order>;
  getOrder: Unary<GetOrderRequest, Order>;
  listOrders: Unary<ListOrdersRequest, ListOrdersResponse>;
  updateOrder: Unary<UpdateOrderRequest, Order>;
  setAddress: Unary<SetAddressRequest, Order>;
  takeNotice: Unary<TakeNoticeRequest, Message<'shop.v1.TakeNoticeResponse'>>;
  reserveStock: Unary<ReserveStockRequest, ReserveStockResponse>;
  charge: Unary<Message<'shop.v1.ChargeRequest'>, Message<'shop.v1.ChargeResponse'>>;
}>;

export const OrderSchema = registry.getMessage('shop.v1.Order') as DescMessage as GenMessage<Order>;

export type ShopHandlers = Handlers<typeof ShopService>;
export type OrderInit = MessageInitShape<typeof OrderSchema>;

/** Handlers that answer with what they were asked; a test replaces those it is about. */
export const shopHandlers = (own: Partial<ShopHandlers> = {}): ShopHandlers => ({
  placeOrder: async (ctx, { userId, items, shippingAddress, prefer }) => ({
    id: ctx.idempotencyKey ?? '',
    userId: userId || (ctx.caller.userId ?? ''),
    items,
    status: prefer === 'wait' ? 2 : 1,
    ...(shippingAddress ? { address: shippingAddress } : {}),
  }),
  getOrder: async (_ctx, { id }) => ({ id, version: 7 }),
  listOrders: async (_ctx, { userId, pageSize, tags, status, total, open }) => ({
    orders: [{ id: tags.join('+'), userId, status, version: pageSize, total: (total?.from ?? 0n) + (total?.to ?? 0n) }],
    nextPageToken: open ? 'open' : '',
  }),
  updateOrder: async (_ctx, { id, status, etag }) => ({ id, status, userId: etag }),
  setAddress: async (_ctx, { id, address }) => ({ id, ...(address ? { address } : {}) }),
  takeNotice: async () => ({}),
  reserveStock: async () => ({ left: 3 }),
  charge: async () => ({}),
  ...own,
});
