import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { type Order, Order_Status } from '@souk/contracts/orders/v1/orders';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { cancelIn } from '../src/usecases/cancel-order.ts';
import { newDatabase, ordersWorld, paymentRefusals, refusals, userId, type WorldOptions } from './world.ts';

const FAST = { pollMs: 20, drainMs: 200 };

describe('the place-order saga', () => {
  let database: TestDatabase;
  const closing: (() => Promise<void>)[] = [];
  before(async () => {
    database = await newDatabase();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
  after(() => database.close());

  const running = async (callees: WorldOptions['callees'] = {}) => {
    const world = await ordersWorld({ database, callees, sagaOptions: FAST });
    closing.push(world.close);
    await world.runSagas();
    const own = world.user(userId(1));
    const ended = async (id: string) => {
      for (;;) {
        const saga = await world.deps.sagas.find(world.sql, id);
        if (saga?.status === 'COMPLETED' || saga?.status === 'COMPENSATED') return saga;
        await database.runtime.timers.sleep(5);
      }
    };
    const place = (more = {}) => world.place(own, { prefer: 'wait=10', ...more });
    /** The calls that carry this order's id, catalog left out. */
    const callsFor = ({ id }: Order) =>
      world.calls
        .filter(({ call, request }) => call !== 'catalog.priceItems' && JSON.stringify(request, text).includes(id))
        .map(({ call }) => call);
    return { ...world, own, ended, place, callsFor };
  };
  const text = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

  const AFTER_PIVOT = ['payments.capturePayment', 'inventory.commitReservation'];

  test('carries an order to the end, each step in its turn', async () => {
    const { place, ended, callsFor, calls, orders, own } = await running();
    const order = await place();
    assert.equal(order.status, Order_Status.CONFIRMED);
    assert.equal((await ended(order.id)).status, 'COMPLETED');
    const made = callsFor(order);
    assert.deepEqual(made.slice(0, 2), ['inventory.reserveStock', 'payments.authorizePayment']);
    assert.deepEqual(made.slice(2, 4).sort(), AFTER_PIVOT.toSorted());
    assert.deepEqual(made.slice(4), ['shipping.arrangeShipment', 'loyalty.awardPoints', 'notifications.notify']);
    assert.equal(calls.find(({ call }) => call === 'users.checkUser')?.call, 'users.checkUser');
    const now = await orders.getOrder(own, { id: order.id });
    assert.deepEqual([now.status, now.paymentId !== ''], [Order_Status.CONFIRMED, true]);
  });

  test('out of stock: rejected with the reason, and nothing is authorized', async () => {
    const world = await running({
      inventory: {
        reserveStock: async () => {
          throw refusals.OUT_OF_STOCK();
        },
      },
    });
    const order = await world.place();
    assert.deepEqual([order.status, order.reason], [Order_Status.REJECTED, 'OUT_OF_STOCK']);
    assert.equal((await world.ended(order.id)).status, 'COMPENSATED');
    const made = world.callsFor(order);
    assert.ok(
      made.every((call) => call.startsWith('inventory.')),
      made.join(),
    );
    const last = (await world.published()).filter(({ key }) => key === order.id).at(-1);
    assert.deepEqual([last?.schema, last?.event.reason], ['souk.orders.v1.OrderRejected', 'OUT_OF_STOCK']);
  });

  test('a declined card: the stock is released, and the order tells why', async () => {
    const world = await running({
      payments: {
        authorizePayment: async () => {
          throw paymentRefusals.CARD_DECLINED();
        },
      },
    });
    const order = await world.place();
    assert.deepEqual([order.status, order.reason], [Order_Status.REJECTED, 'CARD_DECLINED']);
    await world.ended(order.id);
    const made = world.callsFor(order);
    assert.equal(made.filter((call) => call === 'inventory.releaseStock').length, 1);
    assert.ok(!made.some((call) => AFTER_PIVOT.includes(call)));
  });

  test('a user who is not active: rejected before anything is held', async () => {
    const world = await running({ users: { checkUser: async () => ({ active: false }) } });
    const order = await world.place();
    assert.deepEqual([order.status, order.reason], [Order_Status.REJECTED, 'USER_INACTIVE']);
    await world.ended(order.id);
    assert.deepEqual(world.callsFor(order), []);
  });

  test('cancelled before the pivot: everything is taken back in reverse, and the order stays cancelled', async () => {
    const { promise: authorizing, resolve: begun } = Promise.withResolvers<string>();
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const world = await running({
      payments: {
        authorizePayment: async (_ctx, { orderId, userId: payer }) => {
          begun(orderId);
          await mayGoOn;
          return { id: 'pay_01890000-0000-7000-8000-000000000007', orderId, userId: payer, status: 3 };
        },
      },
    });
    const order = await world.place({ prefer: '' });
    await authorizing;
    await world.orders.cancelOrder(world.own, { id: order.id, reason: 'CHANGED_MIND' });
    goOn();
    assert.equal((await world.ended(order.id)).status, 'COMPENSATED');
    assert.deepEqual(world.callsFor(order), [
      'inventory.reserveStock',
      'payments.authorizePayment',
      'payments.voidPayment',
      'inventory.releaseStock',
    ]);
    const now = await world.orders.getOrder(world.own, { id: order.id });
    assert.deepEqual([now.status, now.reason], [Order_Status.CANCELLED, 'CHANGED_MIND']);
    const told = (await world.published()).filter(({ key }) => key === order.id);
    assert.ok(!told.some(({ schema }) => schema.endsWith('OrderRejected')));
  });

  test('cancelled while a participant hangs: the saga turns back at once, and does not wait for it', {
    timeout: 20_000,
  }, async () => {
    const { promise: authorizing, resolve: begun } = Promise.withResolvers<void>();
    const world = await running({
      payments: {
        authorizePayment: async (ctx) => {
          begun();
          await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
          throw paymentRefusals.CARD_DECLINED();
        },
      },
    });
    const order = await world.place({ prefer: '' });
    await authorizing;
    const startMs = performance.now();
    await world.orders.cancelOrder(world.own, { id: order.id, reason: 'CHANGED_MIND' });
    const saga = await world.ended(order.id);
    assert.deepEqual([saga.status, saga.failure?.reason], ['COMPENSATED', 'SAGA_CANCELLED']);
    // An attempt may take 15 s.
    assert.ok(performance.now() - startMs < 5000);
    assert.deepEqual(world.callsFor(order).slice(-2), ['payments.voidPayment', 'inventory.releaseStock']);
    const now = await world.orders.getOrder(world.own, { id: order.id });
    assert.deepEqual([now.status, now.reason], [Order_Status.CANCELLED, 'CHANGED_MIND']);
  });

  test('a cancellation that is rolled back leaves the saga alone', async () => {
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: reserving, resolve: begun } = Promise.withResolvers<void>();
    const world = await running({
      users: {
        checkUser: async () => {
          begun();
          await mayGoOn;
          return { active: true };
        },
      },
    });
    const order = await world.place({ prefer: '' });
    await reserving;
    const rolledBack = world.deps.db.tx(database.ctx, async (tx) => {
      await cancelIn(tx, world.deps, { id: order.id, reason: 'X', actor: 'tests', etag: '' });
      throw refusals.BUSY();
    });
    await assert.rejects(rolledBack, { reason: 'INVENTORY_BUSY' });
    goOn();
    assert.equal((await world.ended(order.id)).status, 'COMPLETED');
  });

  test('after the pivot a step that fails is repeated under the same key until it succeeds', async () => {
    let captures = 0;
    const world = await running({
      payments: {
        capturePayment: async (_ctx, { orderId }) => {
          captures += 1;
          if (captures < 3) throw refusals.BUSY();
          return { id: 'pay_01890000-0000-7000-8000-000000000007', orderId, status: 4 };
        },
      },
    });
    const order = await world.place();
    assert.equal((await world.ended(order.id)).status, 'COMPLETED');
    assert.equal(captures, 3);
    const keys = world.calls.filter(({ call }) => call === 'payments.capturePayment').map((one) => one.idempotencyKey);
    assert.deepEqual([...new Set(keys)], [`${order.id}/capture-payment`]);
    assert.equal(world.callsFor(order).filter((call) => call === 'inventory.commitReservation').length, 1);
  });

  test('an order whose address was erased is not shipped, and its saga ends all the same', async () => {
    const { promise: captured, resolve: goOn } = Promise.withResolvers<void>();
    const world = await running({
      payments: {
        capturePayment: async (_ctx, { orderId }) => {
          await captured;
          return { id: 'pay_01890000-0000-7000-8000-000000000007', orderId, status: 4 };
        },
      },
    });
    const order = await world.place();
    await world.sql.query('delete from order_address where order_id = $1', [order.id]);
    goOn();
    assert.equal((await world.ended(order.id)).status, 'COMPLETED');
    assert.ok(!world.callsFor(order).includes('shipping.arrangeShipment'));
  });

  test('nothing personal is in the journal of a saga', async () => {
    const world = await running();
    const order = await world.place();
    await world.ended(order.id);
    const journal = JSON.stringify(await world.deps.sagas.journal(world.sql, order.id));
    assert.ok(journal.length > 100);
    for (const secret of ['Lovelace', 'St James', 'SW1Y']) assert.ok(!journal.includes(secret), secret);
  });
});
