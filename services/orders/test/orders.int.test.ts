import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  Order_FulfilmentStatus,
  Order_PaymentStatus,
  Order_Status,
  type Order as OrderMessage,
} from '@souk/contracts/orders/v1/orders';
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
import { createEventStore } from '@souk/eventstore';
import { type Context, isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { fold, type Order, type OrderEvent } from '../src/domain/order.ts';
import { confirmOrder } from '../src/usecases/confirm-order.ts';
import { recordProgress } from '../src/usecases/record-progress.ts';
import { rejectOrder } from '../src/usecases/reject-order.ts';
import { newDatabase, type OrdersWorld, ordersWorld, productId, userId } from './world.ts';

const PAYMENT = 'pay_01890000-0000-7000-8000-000000000007';
const { PLACED, CONFIRMED, REJECTED, SHIPPED, DELIVERED, CANCELLED } = Order_Status;

describe('orders', () => {
  let database: TestDatabase;
  let world: OrdersWorld;
  let own: Context;
  let next = 100;
  before(async () => {
    database = await newDatabase();
    world = await ordersWorld({ database });
  });
  after(() => database.close());

  /** A new user's order, moved to a status. */
  const orderThatIs = async (status: Order_Status): Promise<OrderMessage> => {
    own = world.user(userId(next++));
    const { id } = await world.place(own);
    if (status === REJECTED) await rejectOrder(database.ctx, world.deps, id, 'OUT_OF_STOCK');
    if (status === CANCELLED) await world.orders.cancelOrder(own, { id });
    if ([CONFIRMED, SHIPPED, DELIVERED].includes(status)) await confirmOrder(database.ctx, world.deps, id, PAYMENT);
    for (const step of [SHIPPED, DELIVERED]) {
      if (status >= step && [SHIPPED, DELIVERED].includes(status)) {
        await world.orders.updateOrderStatus(world.admin, { id, status: step });
      }
    }
    return world.orders.getOrder(own, { id });
  };
  const publishedOf = async (id: string) =>
    (await world.published()).filter(({ key }) => key === id).map(({ schema }) => schema.split('.').at(-1));

  test('a foreign order looks like none', async () => {
    const { id } = await orderThatIs(PLACED);
    const stranger = world.user(userId(1));
    const none = id.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    for (const look of [world.orders.getOrder, world.orders.getOrderHistory, world.orders.cancelOrder]) {
      const refusal = async (wanted: string) => {
        const error: unknown = await look(stranger, { id: wanted }).then(
          () => assert.fail('it was shown'),
          (thrown) => thrown,
        );
        assert.ok(isSoukError(error));
        return { code: error.code, reason: error.reason, message: error.message.replace(wanted, '?') };
      };
      assert.deepEqual(await refusal(id), await refusal(none));
      assert.equal((await refusal(id)).reason, 'ORDERS_NOT_FOUND');
    }
    assert.equal((await world.orders.getOrder(world.admin, { id })).id, id);
    assert.equal((await world.orders.getOrder(world.service('shipping'), { id })).id, id);
  });

  for (const status of [PLACED, CONFIRMED]) {
    test(`an order that is ${Order_Status[status]} can be cancelled, once`, async () => {
      const { id, version } = await orderThatIs(status);
      const [one, two] = await Promise.all([1, 2].map(() => world.orders.cancelOrder(own, { id, reason: 'TOO_SLOW' })));
      assert.deepEqual([one?.status, two?.status, one?.reason], [CANCELLED, CANCELLED, 'TOO_SLOW']);
      assert.equal((await world.orders.cancelOrder(own, { id })).version, version + 1);
      assert.equal((await publishedOf(id)).filter((name) => name === 'OrderCancelled').length, 1);
    });
  }

  for (const status of [SHIPPED, DELIVERED, REJECTED]) {
    test(`an order that is ${Order_Status[status]} cannot be cancelled`, async () => {
      const { id, version } = await orderThatIs(status);
      await assert.rejects(world.orders.cancelOrder(own, { id }), { reason: 'ORDERS_ILLEGAL_TRANSITION' });
      assert.equal((await world.orders.getOrder(own, { id })).version, version);
    });
  }

  test('a change based on an old version is refused', async () => {
    const { id } = await orderThatIs(CONFIRMED);
    await assert.rejects(world.orders.cancelOrder(own, { id, etag: '"1"' }), { reason: 'SERVICE_VERSION_MISMATCH' });
    await assert.rejects(world.orders.updateOrderStatus(world.admin, { id, status: SHIPPED, etag: '"1"' }), {
      reason: 'SERVICE_VERSION_MISMATCH',
    });
    assert.equal((await world.orders.updateOrderStatus(world.admin, { id, status: SHIPPED, etag: '"2"' })).version, 3);
  });

  test('by hand an order is shipped, delivered or cancelled, never confirmed or rejected, and only by administrators', async () => {
    const { id } = await orderThatIs(PLACED);
    for (const status of [CONFIRMED, REJECTED]) {
      await assert.rejects(world.orders.updateOrderStatus(world.admin, { id, status }), {
        reason: 'ORDERS_TRANSITION_NOT_BY_HAND',
      });
    }
    await assert.rejects(world.orders.updateOrderStatus(world.admin, { id, status: SHIPPED }), {
      reason: 'ORDERS_ILLEGAL_TRANSITION',
    });
    await assert.rejects(world.orders.updateOrderStatus(own, { id, status: CANCELLED }), { code: 'permission_denied' });
    assert.equal((await world.orders.updateOrderStatus(world.admin, { id, status: CANCELLED })).status, CANCELLED);
    assert.deepEqual(await publishedOf(id), ['OrderPlaced', 'OrderCancelled']);
  });

  test('the history tells every transition, by whom and why', async () => {
    const { id } = await orderThatIs(SHIPPED);
    const { transitions } = await world.orders.getOrderHistory(own, { id });
    assert.deepEqual(
      transitions.map(({ version, event, from, to, reason }) => [version, event, from, to, reason]),
      [
        [1, 'OrderPlaced', Order_Status.STATUS_UNSPECIFIED, PLACED, ''],
        [2, 'OrderConfirmed', PLACED, CONFIRMED, ''],
        [3, 'OrderShipped', CONFIRMED, SHIPPED, 'SET_BY_ADMIN'],
      ],
    );
    assert.deepEqual(
      transitions.map(({ actor }) => actor),
      [own.caller.userId, 'orders', world.admin.caller.userId],
    );
    assert.deepEqual(await publishedOf(id), ['OrderPlaced', 'OrderConfirmed', 'OrderShipped']);
  });

  test('a confirmation that is repeated or comes after a cancellation changes nothing', async () => {
    const { id } = await orderThatIs(CONFIRMED);
    await confirmOrder(database.ctx, world.deps, id, PAYMENT);
    assert.equal((await world.orders.getOrder(own, { id })).version, 2);
    const gone = await orderThatIs(CANCELLED);
    await assert.rejects(confirmOrder(database.ctx, world.deps, gone.id, PAYMENT), {
      reason: 'ORDERS_GONE_BEFORE_CONFIRMATION',
    });
    await rejectOrder(database.ctx, world.deps, gone.id, 'GONE_BEFORE_CONFIRMATION');
    assert.equal((await world.orders.getOrder(own, { id: gone.id })).status, CANCELLED);
  });

  test('a cancellation and the confirmation at once: one wins, and both tell the same story', async () => {
    for (let round = 0; round < 8; round++) {
      const { id } = await orderThatIs(PLACED);
      const [confirmation] = await Promise.allSettled([
        confirmOrder(database.ctx, world.deps, id, PAYMENT),
        world.orders.cancelOrder(own, { id }),
      ]);
      const { transitions } = await world.orders.getOrderHistory(own, { id });
      const told = transitions.map(({ event }) => event).join(' ');
      if (confirmation.status === 'fulfilled') assert.equal(told, 'OrderPlaced OrderConfirmed OrderCancelled');
      else assert.equal(told, 'OrderPlaced OrderCancelled');
    }
  });

  test('money and goods are followed, each report once, and what came by event is not taken back', async () => {
    const { id } = await orderThatIs(CONFIRMED);
    const user = own.caller.userId as string;
    const money = { paymentId: PAYMENT, orderId: id, userId: user };
    const parcel = { orderId: id, shipmentId: 'shp_01890000-0000-7000-8000-000000000001', userId: user };
    const now = async () => {
      const { status, paymentStatus, fulfilmentStatus } = await world.orders.getOrder(own, { id });
      return [status, paymentStatus, fulfilmentStatus];
    };
    await recordProgress(database.ctx, world.deps, id, 'CAPTURED');
    await recordProgress(database.ctx, world.deps, id, 'CAPTURED');
    assert.deepEqual(await now(), [CONFIRMED, Order_PaymentStatus.CAPTURED, Order_FulfilmentStatus.PREPARING]);
    await world.hear(PaymentRefundedSchema, { ...money, full: false });
    await world.hear(ShipmentDispatchedSchema, parcel);
    assert.deepEqual(await now(), [SHIPPED, Order_PaymentStatus.CAPTURED, Order_FulfilmentStatus.IN_TRANSIT]);
    await world.hear(ShipmentDeliveredSchema, parcel);
    await world.hear(ShipmentDispatchedSchema, parcel);
    await world.hear(PaymentRefundedSchema, { ...money, full: true });
    await recordProgress(database.ctx, world.deps, id, 'CAPTURED');
    assert.deepEqual(await now(), [DELIVERED, Order_PaymentStatus.REFUNDED, Order_FulfilmentStatus.RECEIVED]);
    assert.equal((await world.orders.getOrder(own, { id })).version, 7);
    assert.deepEqual(await publishedOf(id), ['OrderPlaced', 'OrderConfirmed', 'OrderShipped', 'OrderDelivered']);
  });

  test('a refund that fails shows in an order whose money is to be given back, until it is given back', async () => {
    const user = () => own.caller.userId as string;
    const refund = (id: string) => ({
      paymentId: PAYMENT,
      orderId: id,
      userId: user(),
      refundId: 'rfd_01890000-0000-7000-8000-000000000001',
    });
    const paymentOf = async (id: string) =>
      Order_PaymentStatus[(await world.orders.getOrder(own, { id })).paymentStatus];
    const { id } = await orderThatIs(CANCELLED);
    await world.hear(PaymentRefundedSchema, { ...refund(id), full: true });
    await world.hear(PaymentRefundFailedSchema, refund(id));
    assert.equal(await paymentOf(id), 'REFUND_FAILED');
    await world.hear(PaymentRefundedSchema, { ...refund(id), full: true });
    assert.equal(await paymentOf(id), 'REFUNDED');

    const kept = await orderThatIs(CONFIRMED);
    await world.hear(PaymentRefundFailedSchema, refund(kept.id));
    assert.equal(await paymentOf(kept.id), 'AUTHORIZED');

    const rejected = await orderThatIs(REJECTED);
    await world.hear(PaymentFailedSchema, { paymentId: PAYMENT, orderId: rejected.id, userId: user() });
    assert.equal(await paymentOf(rejected.id), 'FAILED');
  });

  test('an order that was cancelled in the moment its parcel left tells where the goods are', async () => {
    const { id } = await orderThatIs(CANCELLED);
    const parcel = {
      orderId: id,
      shipmentId: 'shp_01890000-0000-7000-8000-000000000001',
      userId: own.caller.userId as string,
    };
    const now = async () => {
      const { status, fulfilmentStatus } = await world.orders.getOrder(own, { id });
      return [Order_Status[status], Order_FulfilmentStatus[fulfilmentStatus]];
    };
    await world.hear(ShipmentNotStoppedSchema, parcel);
    assert.deepEqual(await now(), ['CANCELLED', 'IN_TRANSIT']);
    await world.hear(ShipmentDeliveredSchema, parcel);
    await world.hear(ShipmentNotStoppedSchema, parcel);
    assert.deepEqual(await now(), ['CANCELLED', 'RECEIVED']);
    assert.deepEqual(await publishedOf(id), ['OrderPlaced', 'OrderCancelled']);
  });

  test('a cancelled order still hears of its money and its parcel, and stays cancelled', async () => {
    const { id } = await orderThatIs(CANCELLED);
    const user = own.caller.userId as string;
    const parcel = { orderId: id, shipmentId: 'shp_01890000-0000-7000-8000-000000000001', userId: user };
    await world.hear(PaymentVoidedSchema, { paymentId: PAYMENT, orderId: id, userId: user });
    await world.hear(ShipmentDispatchedSchema, parcel);
    await world.hear(ShipmentCancelledSchema, parcel);
    const order = await world.orders.getOrder(own, { id });
    assert.deepEqual(
      [order.status, order.paymentStatus, order.fulfilmentStatus],
      [CANCELLED, Order_PaymentStatus.VOIDED, Order_FulfilmentStatus.RETURNED],
    );
  });

  test('a payment without an order is none of its business', async () => {
    await world.hear(PaymentVoidedSchema, { paymentId: PAYMENT, orderId: '', userId: userId(1) });
  });

  test('pages hold every order once, newest first, also those of one moment', async () => {
    const reader = world.user(userId(next++));
    const placed: string[] = [];
    for (let n = 0; n < 5; n++) placed.push((await world.place(reader)).id);
    await world.sql.query(
      `update order_view set created_at = '2026-01-01T00:00:00.123Z',
      state = state || '{"createdAt": "2026-01-01T00:00:00.123Z"}' where user_id = $1`,
      [reader.caller.userId],
    );
    await world.orders.cancelOrder(reader, { id: placed[4] as string });
    for (const status of [Order_Status.STATUS_UNSPECIFIED, PLACED]) {
      const seen: string[] = [];
      let pageToken = '';
      do {
        const request = { userId: reader.caller.userId as string, pageSize: 2, pageToken, status };
        const page = await world.orders.listUserOrders(reader, request);
        assert.ok(page.orders.length <= 2);
        seen.push(...page.orders.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      assert.deepEqual(seen, placed.toReversed().slice(status === PLACED ? 1 : 0));
    }
  });

  test('a page token of another list, or one that was made up, is refused', async () => {
    const reader = world.user(userId(1));
    await world.place(reader);
    await world.place(reader);
    const { nextPageToken } = await world.orders.listUserOrders(reader, { userId: userId(1), pageSize: 1 });
    const madeUp = Buffer.from(JSON.stringify([`orders of ${userId(2)} 0`, 'no date', 'x'])).toString('base64url');
    for (const pageToken of [nextPageToken, madeUp, 'x']) {
      const request = { userId: userId(2), pageToken };
      await assert.rejects(world.orders.listUserOrders(world.user(userId(2)), request), {
        reason: 'SERVICE_PAGE_TOKEN_INVALID',
      });
    }
  });

  test('all orders are listed to administrators only', async () => {
    const { id } = await orderThatIs(REJECTED);
    const { orders } = await world.orders.listOrders(world.admin, { status: REJECTED, pageSize: 1 });
    assert.deepEqual(
      orders.map((order) => [order.id, order.reason]),
      [[id, 'OUT_OF_STOCK']],
    );
    await assert.rejects(world.orders.listOrders(own, {}), { code: 'permission_denied' });
    const foreign = { userId: own.caller.userId as string };
    await assert.rejects(world.orders.listUserOrders(world.user(userId(1)), foreign), { code: 'permission_denied' });
  });

  test('after any commands at once, the view is the fold of the stream', async () => {
    const store = createEventStore({ runtime: database.runtime });
    const command = fc.constantFrom('confirm', 'reject', 'ship', 'deliver', 'cancel', 'progress', 'voided');
    const carryOut = (name: string, id: string): Promise<unknown> => {
      const userOf = own.caller.userId as string;
      if (name === 'confirm') return confirmOrder(database.ctx, world.deps, id, PAYMENT);
      if (name === 'reject') return rejectOrder(database.ctx, world.deps, id, 'OUT_OF_STOCK');
      if (name === 'ship') return world.orders.updateOrderStatus(world.admin, { id, status: SHIPPED });
      if (name === 'deliver') return world.orders.updateOrderStatus(world.admin, { id, status: DELIVERED });
      if (name === 'cancel') return world.orders.cancelOrder(own, { id });
      if (name === 'progress') return recordProgress(database.ctx, world.deps, id, 'CAPTURED');
      return world.hear(PaymentVoidedSchema, { paymentId: PAYMENT, orderId: id, userId: userOf });
    };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { maxLength: 4 }), { maxLength: 4 }), async (rounds) => {
        const { id } = await orderThatIs(PLACED);
        for (const round of rounds) await Promise.allSettled(round.map((name) => carryOut(name, id)));
        const events = (await store.read(world.sql, `order-${id}`)).map(({ data }) => data as unknown as OrderEvent);
        const { rows } = await world.sql.query<{ state: Order; version: number; status: string }>(
          'select state, version, status from order_view where id = $1',
          [id],
        );
        const folded = fold(events) as Order;
        assert.deepEqual(rows[0]?.state, folded);
        assert.deepEqual([rows[0]?.version, rows[0]?.status], [events.length, folded.status]);
      }),
      { numRuns: 25 },
    );
  });

  test('an order of a product that is named twice has one line', async () => {
    const items = [1, 2, 1].map((n) => ({ productId: productId(n), quantity: 2 }));
    const { items: lines } = await world.place(world.user(userId(1)), { items });
    assert.deepEqual(
      lines.map(({ quantity }) => quantity),
      [4, 2],
    );
  });
});
