import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Order_PaymentStatus, Order_Status, type OrderUpdate } from '@souk/contracts/orders/v1/orders';
import { hasReason } from '@souk/kernel';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { confirmOrder } from '../src/usecases/confirm-order.ts';
import { rejectOrder } from '../src/usecases/reject-order.ts';
import { newDatabase, type OrdersWorld, ordersWorld, userId } from './world.ts';

const PAYMENT = 'pay_01890000-0000-7000-8000-000000000007';
const { PLACED, CONFIRMED, REJECTED, SHIPPED, DELIVERED } = Order_Status;

describe('whoever follows an order', () => {
  let database: TestDatabase;
  let world: OrdersWorld;
  /** Another process of the service. */
  let other: OrdersWorld;
  before(async () => {
    database = await newDatabase();
    [world, other] = [await ordersWorld({ database }), await ordersWorld({ database })];
  });
  after(() => database.close());

  const statusesOf = (updates: readonly OrderUpdate[]) => updates.map(({ status }) => status);

  test('is told all that has happened and all that happens, and no more when nothing more is to come', async () => {
    const own = world.user(userId(1));
    const { id } = await world.place(own);
    const seen: OrderUpdate[] = [];
    for await (const update of world.orders.watchOrder(own, { id })) {
      seen.push(update);
      if (update.status === PLACED) await confirmOrder(database.ctx, world.deps, id, PAYMENT);
      // By another process, which cannot tell this one.
      if (update.status === CONFIRMED) await other.orders.updateOrderStatus(other.admin, { id, status: SHIPPED });
      if (update.status === SHIPPED) await world.orders.updateOrderStatus(world.admin, { id, status: DELIVERED });
    }
    assert.deepEqual(statusesOf(seen), [PLACED, CONFIRMED, SHIPPED, DELIVERED]);
    assert.deepEqual(
      seen.map(({ version }) => version),
      [1, 2, 3, 4],
    );
    assert.equal(seen[1]?.paymentStatus, Order_PaymentStatus.AUTHORIZED);
  });

  test('goes on behind what was seen, and of an order that is over gets the rest at once', async () => {
    const own = world.user(userId(2));
    const { id } = await world.place(own);
    await rejectOrder(database.ctx, world.deps, id, 'OUT_OF_STOCK');
    const rest = await Array.fromAsync(world.orders.watchOrder(own, { id, after: '1' }));
    assert.deepEqual(
      rest.map(({ version, status, reason }) => [version, status, reason]),
      [[2, REJECTED, 'OUT_OF_STOCK']],
    );
    assert.deepEqual(await Array.fromAsync(world.orders.watchOrder(own, { id, after: '2' })), []);
  });

  test('sees own orders only', async () => {
    const { id } = await world.place(world.user(userId(3)));
    await assert.rejects(Array.fromAsync(world.orders.watchOrder(world.user(userId(4)), { id })), (error) =>
      hasReason(error, 'ORDERS_NOT_FOUND'),
    );
  });

  test('may leave at any moment, and nothing of them stays behind', async () => {
    const own = world.user(userId(5));
    const { id } = await world.place(own);
    for await (const update of world.orders.watchOrder(own, { id })) {
      assert.equal(update.status, PLACED);
      break;
    }
    const gone = new AbortController();
    const waiting = Array.fromAsync(world.orders.watchOrder(own.with({ signal: gone.signal }), { id, after: '1' }));
    await database.runtime.timers.sleep(20);
    gone.abort();
    await assert.rejects(waiting, (error) => hasReason(error, 'SOUK_CANCELED'));
    assert.equal(world.deps.parts.feed.followed, 0);
  });
});
