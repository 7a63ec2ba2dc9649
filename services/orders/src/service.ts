import {
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPlacedSchema,
  OrderRejectedSchema,
  OrderShippedSchema,
} from '@souk/contracts/orders/v1/events';
import { OrderService } from '@souk/contracts/orders/v1/orders';
import {
  PaymentFailedSchema,
  PaymentRefundedSchema,
  PaymentRefundFailedSchema,
  PaymentVoidedSchema,
} from '@souk/contracts/payments/v1/events';
import {
  ShipmentCancelledSchema,
  ShipmentDeliveredSchema,
  ShipmentDispatchedSchema,
  ShipmentNotStoppedSchema,
} from '@souk/contracts/shipping/v1/events';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import { checkEpoch, createHorizonWatch, eventStoreMigrations } from '@souk/eventstore';
import { rootContext } from '@souk/kernel';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { ordersSettings } from './config.ts';
import { calls, type OrdersDeps } from './deps.ts';
import { createParts } from './parts.ts';
import { placeOrderSaga } from './sagas/place-order.ts';
import { ordersMigrations } from './store/migrations.ts';
import { userStats } from './store/user-stats.ts';
import { cancelOrder } from './usecases/cancel-order.ts';
import { followPayment } from './usecases/follow-payment.ts';
import { followShipment } from './usecases/follow-shipment.ts';
import { forgetUser } from './usecases/forget-user.ts';
import { getOrder } from './usecases/get-order.ts';
import { getOrderHistory } from './usecases/get-order-history.ts';
import { getUserStats } from './usecases/get-user-stats.ts';
import { listOrders } from './usecases/list-orders.ts';
import { listUserOrders } from './usecases/list-user-orders.ts';
import { placeOrder } from './usecases/place-order.ts';
import { updateOrderStatus } from './usecases/update-order-status.ts';
import { watchOrder } from './usecases/watch-order.ts';

const START_TIMEOUT_MS = 30_000;
const WATCH_EVERY_MS = 5000;

/** Before the first append: a database that was moved or restored counts its transactions anew. */
async function watchEvents(deps: OrdersDeps): Promise<void> {
  const { db, runtime, telemetry } = deps;
  using ctx = rootContext({ runtime, log: deps.log, timeoutMs: START_TIMEOUT_MS });
  await checkEpoch(db, ctx);
  const horizon = createHorizonWatch({ db, runtime, telemetry });
  deps.schedule({
    name: 'watch-event-horizon',
    everyMs: WATCH_EVERY_MS,
    run: async (jobCtx) => void (await horizon.check(jobCtx)),
  });
}

/** Orders: event-sourced, carried through stock, payment and delivery by the place-order saga. */
export const orders = defineService({
  name: 'orders',
  serves: [OrderService],
  calls,
  publishes: [
    OrderPlacedSchema,
    OrderConfirmedSchema,
    OrderRejectedSchema,
    OrderShippedSchema,
    OrderDeliveredSchema,
    OrderCancelledSchema,
  ],
  consumes: [
    on(PaymentVoidedSchema, (deps: OrdersDeps) => followPayment(deps, 'VOIDED')),
    on(PaymentRefundedSchema, (deps: OrdersDeps) => followPayment(deps, 'REFUNDED')),
    on(PaymentRefundFailedSchema, (deps: OrdersDeps) => followPayment(deps, 'REFUND_FAILED')),
    on(PaymentFailedSchema, (deps: OrdersDeps) => followPayment(deps, 'FAILED')),
    on(ShipmentDispatchedSchema, (deps: OrdersDeps) => followShipment(deps, 'dispatched')),
    on(ShipmentDeliveredSchema, (deps: OrdersDeps) => followShipment(deps, 'delivered')),
    on(ShipmentCancelledSchema, (deps: OrdersDeps) => followShipment(deps, 'cancelled')),
    on(ShipmentNotStoppedSchema, (deps: OrdersDeps) => followShipment(deps, 'not stopped')),
    on(UserDeletedSchema, forgetUser),
  ],
  sagas: [placeOrderSaga],
  projections: [userStats],
  settings: ordersSettings,
  migrations: [...eventStoreMigrations, ...ordersMigrations],
  parts: createParts,
  start: async (deps) => {
    await watchEvents(deps);
    return {
      placeOrder: placeOrder(deps),
      getOrder: getOrder(deps),
      getOrderHistory: getOrderHistory(deps),
      watchOrder: watchOrder(deps),
      updateOrderStatus: updateOrderStatus(deps),
      cancelOrder: cancelOrder(deps),
      listUserOrders: listUserOrders(deps),
      listOrders: listOrders(deps),
      getUserStats: getUserStats(deps),
    };
  },
});
