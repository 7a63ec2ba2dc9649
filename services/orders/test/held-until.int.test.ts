import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Order_Status } from '@souk/contracts/orders/v1/orders';
import { confirmOrder } from '../src/usecases/confirm-order.ts';
import { newDatabase, ordersWorld, userId } from './world.ts';

const PAYMENT = 'pay_01890000-0000-7000-8000-000000000007';

test('an order whose stock is no longer held is not confirmed, and nothing is taken', async () => {
  const database = await newDatabase();
  const world = await ordersWorld({
    database,
    sagaOptions: { pollMs: 20, drainMs: 200 },
    callees: {
      inventory: {
        reserveStock: async (_ctx, { orderId }) => ({
          id: 'rsv_01890000-0000-7000-8000-000000000001',
          orderId,
          status: 1,
          expiresAt: timestampFromMs(database.runtime.clock.now()),
        }),
      },
    },
  });
  try {
    await world.runSagas();
    const order = await world.place(world.user(userId(1)), { prefer: 'wait=10' });
    assert.deepEqual([order.status, order.reason], [Order_Status.REJECTED, 'RESERVATION_EXPIRED']);
    for (let saga = ''; saga !== 'COMPENSATED'; await database.runtime.timers.sleep(5)) {
      saga = (await world.deps.sagas.find(world.sql, order.id))?.status ?? '';
    }
    const made = world.calls.map(({ call }) => call);
    assert.ok(made.includes('payments.voidPayment') && made.includes('inventory.releaseStock'), made.join());
    assert.ok(!made.includes('payments.capturePayment'));
    const told = (await world.published()).filter(({ key, schema }) => key === order.id && /Order[RC]/.test(schema));
    assert.deepEqual(
      told.map(({ schema, event }) => [schema, event.reason]),
      [['souk.orders.v1.OrderRejected', 'RESERVATION_EXPIRED']],
    );
  } finally {
    await world.close();
    await database.close();
  }
});

test('a confirmation that is repeated late finds the order confirmed', async () => {
  const database = await newDatabase();
  const world = await ordersWorld({ database });
  try {
    const { id } = await world.place(world.user(userId(1)));
    const now = database.runtime.clock.now();
    await confirmOrder(database.ctx, world.deps, id, PAYMENT, now + 60_000);
    await confirmOrder(database.ctx, world.deps, id, PAYMENT, now - 60_000);
    const order = await world.orders.getOrder(world.user(userId(1)), { id });
    assert.equal(order.status, Order_Status.CONFIRMED);
  } finally {
    await world.close();
    await database.close();
  }
});
