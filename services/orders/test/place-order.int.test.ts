import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { Order_Status, OrderSchema } from '@souk/contracts/orders/v1/orders';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import { isSoukError } from '@souk/kernel';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { ADDRESS, newDatabase, type OrdersWorld, ordersWorld, productId, userId } from './world.ts';

describe('placing an order', () => {
  let database: TestDatabase;
  let world: OrdersWorld;
  before(async () => {
    database = await newDatabase();
    world = await ordersWorld({ database });
  });
  after(() => database.close());

  test('answers with prices of the catalog, and writes order, address, event, saga and answer', async () => {
    const before = await world.footprint();
    const order = await world.place(world.user(userId(1)));
    assert.equal(order.status, Order_Status.PLACED);
    assert.equal(order.userId, userId(1));
    assert.equal(order.total?.minorUnits, 400n);
    assert.deepEqual(
      order.items.map((line) => [line.name, line.quantity, line.lineTotal?.minorUnits]),
      [
        ['Product 1', 2, 200n],
        ['Product 2', 1, 200n],
      ],
    );
    assert.equal(order.shippingAddress?.line1, ADDRESS.line1);
    assert.equal(order.version, 1);
    const grown = Object.entries(await world.footprint()).map(([table, rows]) => rows - (before[table] as number));
    assert.deepEqual(grown, [1, 1, 1, 1, 1, 1]);
    const last = (await world.published()).at(-1);
    assert.deepEqual([last?.schema, last?.key], ['souk.orders.v1.OrderPlaced', order.id]);
    assert.ok(world.counted.includes('order_placed'));
  });

  for (const table of [
    'order_view',
    'order_address',
    'souk.es_event',
    'souk.outbox',
    'souk.saga',
    'souk.idempotency',
  ]) {
    test(`leaves nothing when ${table} cannot be written, and the key stays free`, async () => {
      const before = await world.footprint();
      const ctx = world.user(userId(2));
      await world.sql.query(
        `create or replace function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`,
      );
      await world.sql.query(`create trigger refuse before insert on ${table} for each row execute function refuse()`);
      await assert.rejects(world.place(ctx, {}, `key-${table}`));
      await world.sql.query(`drop trigger refuse on ${table}`);
      assert.deepEqual(await world.footprint(), before);
      assert.equal((await world.place(ctx, {}, `key-${table}`)).version, 1);
    });
  }

  test('a repeat gets the same bytes, whatever it says about waiting, and writes nothing', async () => {
    const ctx = world.user(userId(3));
    const first = await world.place(ctx, {}, 'repeat');
    const before = await world.footprint();
    const again = await world.place(ctx, {}, 'repeat');
    const waiting = await world.place(ctx, { prefer: 'respond-async, wait=0' }, 'repeat');
    assert.deepEqual(toBinary(OrderSchema, again), toBinary(OrderSchema, first));
    assert.deepEqual(toBinary(OrderSchema, waiting), toBinary(OrderSchema, first));
    assert.deepEqual(await world.footprint(), before);
  });

  test('the same key with another body is refused; of another user it is another key', async () => {
    await world.place(world.user(userId(4)), {}, 'mine');
    const other = { items: [{ productId: productId(3), quantity: 1 }] };
    await assert.rejects(world.place(world.user(userId(4)), other, 'mine'), { reason: 'IDEMPOTENCY_KEY_REUSED' });
    const foreign = await world.place(world.user(userId(5)), other, 'mine');
    assert.equal(foreign.userId, userId(5));
  });

  test('equal requests at once make one order', async () => {
    const ctx = world.user(userId(6));
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await world.place(ctx, {}, 'at once')).id));
    assert.equal(new Set(ids).size, 1);
    const { rows } = await world.sql.query('select id from order_view where user_id = $1', [userId(6)]);
    assert.equal(rows.length, 1);
  });

  test('without a key it is refused', async () => {
    await assert.rejects(world.orders.placeOrder(world.user(userId(1)), world.request()), /Idempotency-Key/i);
  });

  test('unknown products are refused with a pointer to each line', async () => {
    const items = [
      { productId: productId(1), quantity: 1 },
      { productId: productId(77), quantity: 1 },
      { productId: productId(77), quantity: 1 },
    ];
    const before = await world.footprint();
    await assert.rejects(world.place(world.user(userId(1)), { items }), (error: unknown) => {
      assert.ok(isSoukError(error));
      assert.equal(error.reason, 'ORDERS_PRODUCT_UNKNOWN');
      assert.deepEqual(
        error.violations.map(({ pointer }) => pointer),
        ['/items/1/productId', '/items/2/productId'],
      );
      return true;
    });
    assert.deepEqual(await world.footprint(), before);
  });

  test('products that are not sold, and too many of one, are refused', async () => {
    const ctx = world.user(userId(1));
    const gone = { items: [{ productId: productId(9), quantity: 1 }] };
    await assert.rejects(world.place(ctx, gone), { reason: 'ORDERS_PRODUCT_UNAVAILABLE' });
    const many = [600, 600].map((quantity) => ({ productId: productId(1), quantity }));
    await assert.rejects(world.place(ctx, { items: many }), { reason: 'ORDERS_QUANTITY_TOO_LARGE' });
  });

  test('nobody orders for another user but an administrator', async () => {
    const forAda = { userId: userId(8) };
    await assert.rejects(world.place(world.user(userId(1)), forAda), { code: 'permission_denied' });
    assert.equal((await world.place(world.admin, forAda)).userId, userId(8));
    await assert.rejects(world.place(world.nobody), { code: 'unauthenticated' });
  });

  test('Prefer: wait answers once the order is decided, and with the order as it is when the time is over', async () => {
    const ctx = world.user(userId(10));
    const waiting = world.place(ctx, { prefer: 'wait=10' }, 'waits');
    const { orders: placed } = await eventually(
      () => world.orders.listUserOrders(ctx, { userId: userId(10) }),
      (page) => page.orders.length === 1,
    );
    await world.orders.cancelOrder(ctx, { id: placed[0]?.id ?? '', reason: 'CHANGED_MIND' });
    const decided = await waiting;
    assert.equal(decided.status, Order_Status.CANCELLED);
    assert.equal(decided.shippingAddress?.line1, ADDRESS.line1);
    const hasty = await ordersWorld({ database, settings: { maxWait: 30 } });
    assert.equal((await hasty.place(ctx, { prefer: 'wait=10' })).status, Order_Status.PLACED);
  });

  test('the address of a forgotten user is gone from ended orders, from repeats, and from others as they end', async () => {
    const ctx = world.user(userId(11));
    const [ended, open] = [await world.place(ctx, {}, 'ended'), await world.place(ctx, {}, 'open')];
    await world.orders.cancelOrder(ctx, { id: ended.id });
    await world.hear(UserDeletedSchema, { userId: userId(11) });
    assert.equal((await world.place(ctx, {}, 'ended')).shippingAddress, undefined);
    assert.equal((await world.place(ctx, {}, 'open')).shippingAddress?.name, ADDRESS.name);
    const late = await world.place(ctx);
    for (const { id } of [open, late]) {
      await world.orders.cancelOrder(ctx, { id });
      assert.equal((await world.orders.getOrder(ctx, { id })).shippingAddress, undefined);
    }
    const { rows } = await world.sql.query('select 1 from order_address where user_id = $1', [userId(11)]);
    assert.equal(rows.length, 0);
    const kept = await world.sql.query<{ found: boolean }>(
      `select bool_or(position('St James'::bytea in response) > 0) as found from souk.idempotency`,
    );
    assert.equal(kept.rows[0]?.found, false);
  });

  const eventually = async <T>(look: () => Promise<T>, is: (value: T) => boolean): Promise<T> => {
    for (;;) {
      const value = await look();
      if (is(value)) return value;
      await database.runtime.timers.sleep(5);
    }
  };
});
