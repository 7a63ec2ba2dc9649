import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Settings } from '@souk/config';
import { OrderService, type PlaceOrderRequestSchema } from '@souk/contracts/orders/v1/orders';
import { type Context, defineErrors } from '@souk/kernel';
import type { SagaEngineOptions } from '@souk/saga';
import { createServiceWorld, migrationsOf, type ServiceWorldOptions } from '@souk/testkit';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import type { ordersSettings } from '../src/config.ts';
import type { calls } from '../src/deps.ts';
import { orders } from '../src/service.ts';

const uuid = (n: number) => `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
export const userId = (n: number): string => `usr_${uuid(n)}`;
export const productId = (n: number): string => `prd_${uuid(n)}`;
const paymentId = `pay_${uuid(7)}`;

/** What other services refuse with. */
export const refusals = defineErrors('INVENTORY', {
  OUT_OF_STOCK: { code: 'failed_precondition', text: 'not enough' },
  BUSY: { code: 'unavailable', text: 'later', retry: 'later' },
});
export const paymentRefusals = defineErrors('PAYMENTS', {
  CARD_DECLINED: { code: 'failed_precondition', text: 'no' },
});

type Callees = NonNullable<ServiceWorldOptions<typeof calls, typeof ordersSettings>['callees']>;

/** Services that do what they are asked. Products 1 to 8 exist and cost their number in euros; 9 is no longer sold. */
const willing = (): Required<Callees> => ({
  users: { checkUser: async () => ({ active: true }) },
  catalog: {
    priceItems: async (_ctx, { productIds, currency }) => {
      const known = productIds.filter((id) => Number(`0x${id.slice(-12)}`) < 10);
      return {
        items: known.map((id) => ({
          productId: id,
          name: `Product ${id.slice(-1)}`,
          unitPrice: { currency, minorUnits: BigInt(`0x${id.slice(-12)}`) * 100n },
          available: !id.endsWith('9'),
          version: 1,
        })),
        notFound: productIds.filter((id) => !known.includes(id)),
      };
    },
  },
  inventory: {
    reserveStock: async (_ctx, { orderId }) => ({ id: `rsv_${uuid(1)}`, orderId, status: 1 }),
    releaseStock: async (_ctx, { orderId }) => ({ id: `rsv_${uuid(1)}`, orderId, status: 3 }),
    commitReservation: async (_ctx, { orderId }) => ({ id: `rsv_${uuid(1)}`, orderId, status: 2 }),
  },
  payments: {
    authorizePayment: async (_ctx, { orderId, userId: payer }) => ({
      id: paymentId,
      orderId,
      userId: payer,
      status: 3,
    }),
    capturePayment: async (_ctx, { orderId }) => ({ id: paymentId, orderId, status: 4 }),
    voidPayment: async (_ctx, { orderId }) => ({ id: paymentId, orderId, status: 7 }),
  },
  shipping: { arrangeShipment: async (_ctx, { orderId }) => ({ id: `shp_${uuid(1)}`, orderId, status: 2 }) },
  loyalty: { awardPoints: async (_ctx, { userId: earner }) => ({ userId: earner, points: 3, balance: 3 }) },
  notifications: { notify: async () => ({ notificationIds: [] }) },
});

export const newDatabase = (): Promise<TestDatabase> => testDatabase('orders', migrationsOf(orders));

export interface WorldOptions {
  readonly database: TestDatabase;
  readonly settings?: Partial<Settings<typeof ordersSettings>>;
  /** Replaces single answers of the willing services. */
  readonly callees?: { readonly [K in keyof Callees]?: Partial<NonNullable<Callees[K]>> };
  readonly sagaOptions?: SagaEngineOptions;
}

export const ADDRESS = {
  name: 'Ada Lovelace',
  line1: '12 St James Square',
  line2: '',
  city: 'London',
  postalCode: 'SW1Y 4JH',
  country: 'GB',
};

type PlaceOrder = MessageInitShape<typeof PlaceOrderRequestSchema>;

/** Two of product 1, one of product 2: EUR 4.00. */
const request = (more: PlaceOrder = {}): PlaceOrder =>
  ({
    items: [
      { productId: productId(1), quantity: 2 },
      { productId: productId(2), quantity: 1 },
    ],
    paymentMethodId: `pm_${uuid(1)}`,
    shippingAddress: ADDRESS,
    ...more,
  }) as PlaceOrder;

export async function ordersWorld(options: WorldOptions) {
  const { database, settings = {}, sagaOptions = {} } = options;
  const { db, runtime } = database;
  const base = willing();
  const callees = Object.fromEntries(
    Object.entries(base).map(([name, handlers]) => [
      name,
      { ...handlers, ...options.callees?.[name as keyof Callees] },
    ]),
  ) as Callees;
  const world = await createServiceWorld(orders, { db, runtime, settings, callees, sagaOptions });
  const client = world.client(OrderService);
  const sql = db.at(database.ctx);
  return {
    ...world,
    orders: client,
    sql,
    request,
    place: (ctx: Context, more: PlaceOrder = {}, idempotencyKey: string = runtime.ids.uuid()) =>
      client.placeOrder(ctx, request(more), { idempotencyKey }),
    /** Rows of everything that placing an order writes. */
    footprint: async () => {
      const tables = ['order_view', 'order_address', 'souk.es_event', 'souk.outbox', 'souk.saga', 'souk.idempotency'];
      const counts = tables.map((table) => `(select count(*)::int from ${table}) as "${table}"`);
      return (await sql.query<Record<string, number>>(`select ${counts.join(', ')}`)).rows[0] as Record<string, number>;
    },
  };
}

export type OrdersWorld = Awaited<ReturnType<typeof ordersWorld>>;
