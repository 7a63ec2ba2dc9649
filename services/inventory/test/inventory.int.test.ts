import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InventoryService, Reservation_Status } from '@souk/contracts/inventory/v1/inventory';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import { ShipmentNotStoppedSchema } from '@souk/contracts/shipping/v1/events';
import { virtualRuntime } from '@souk/kernel';
import { createServiceWorld, migrationsOf } from '@souk/testkit';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { inventory } from '../src/service.ts';

const uuid = (n: number) => `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const productId = (n: number) => `prd_${uuid(n)}`;
const orderId = (n: number) => `ord_${uuid(n)}`;
const userId = `usr_${uuid(1)}`;
const { RESERVED, COMMITTED, RELEASED } = Reservation_Status;

const start = async (database: TestDatabase) => {
  const runtime = virtualRuntime();
  const world = await createServiceWorld(inventory, { db: database.db, runtime, settings: { lowStock: 2 } });
  return { ...world, runtime, stock: world.client(InventoryService), system: world.service('orders') };
};

describe('inventory', () => {
  let database: TestDatabase;
  let world: Awaited<ReturnType<typeof start>>;
  before(async () => {
    database = await testDatabase('inventory', migrationsOf(inventory));
    world = await start(database);
  });
  after(() => database.close());

  const put = (n: number, onHand: number) => world.stock.setStock(world.admin, { productId: productId(n), onHand });
  const now = async (n: number) => {
    const { onHand, reserved, available } = await world.stock.getAvailability(world.nobody, {
      productId: productId(n),
    });
    assert.equal(available, onHand - reserved);
    return [onHand, reserved];
  };
  const reserve = (order: number, product: number, quantity: number, ttlSeconds = 60) =>
    world.stock.reserveStock(world.system, {
      orderId: orderId(order),
      lines: [{ productId: productId(product), quantity }],
      ttlSeconds,
    });
  const told = async (key: string) =>
    (await world.published()).filter((one) => one.key === key).map(({ schema }) => schema.split('.').at(-1));
  const cancel = (order: number, id?: string) =>
    world.hear(OrderCancelledSchema, { orderId: orderId(order), userId }, id);

  test('a product that was never counted has none', async () => {
    assert.deepEqual(await now(1), [0, 0]);
  });

  test('counting is for administrators, along versions, and never below what orders hold', async () => {
    assert.deepEqual([(await put(2, 5)).version, (await put(2, 6)).version], [1, 2]);
    const request = { productId: productId(2), onHand: 7 };
    await assert.rejects(world.stock.setStock(world.user(userId), request), { code: 'permission_denied' });
    await assert.rejects(world.stock.setStock(world.admin, { ...request, etag: '"1"' }), {
      reason: 'SERVICE_VERSION_MISMATCH',
    });
    await reserve(2, 2, 4);
    await assert.rejects(put(2, 3), { reason: 'INVENTORY_BELOW_RESERVED' });
    assert.deepEqual(await now(2), [6, 4]);
    const fresh = { productId: productId(22), onHand: 1, etag: '"0"' };
    assert.equal((await world.stock.setStock(world.admin, fresh)).version, 1);
  });

  test('twenty first counts at once: the moves explain what is there', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => put(3, n)));
    const { rows } = await database.db
      .at(database.ctx)
      .query<{ moved: number }>('select sum(delta)::int as moved from stock_move where product_id = $1', [
        productId(3),
      ]);
    assert.equal(rows[0]?.moved, (await now(3))[0]);
  });

  test('twenty equal reservations at once hold stock once and say so once', async () => {
    await put(4, 10);
    const made = await Promise.all(Array.from({ length: 20 }, () => reserve(4, 4, 3)));
    assert.deepEqual([new Set(made.map(({ id }) => id)).size, made[0]?.status], [1, RESERVED]);
    assert.deepEqual(await now(4), [10, 3]);
    assert.deepEqual(await told(orderId(4)), ['StockReserved']);
  });

  test('too little stock is refused with the products that are short', async () => {
    await put(5, 1);
    await assert.rejects(reserve(5, 5, 2), (error: unknown) => {
      const { reason, details } = error as { reason: string; details: Record<string, string> };
      assert.deepEqual([reason, details.products], ['INVENTORY_OUT_OF_STOCK', productId(5)]);
      return true;
    });
    await put(5, 2);
    assert.equal((await reserve(5, 5, 2)).status, RESERVED);
  });

  test('what was given back first cannot be held any more', async () => {
    await put(6, 5);
    const undone = await world.stock.releaseStock(world.system, { orderId: orderId(6) });
    assert.equal(undone.status, RELEASED);
    await assert.rejects(reserve(6, 6, 1), { reason: 'INVENTORY_RESERVATION_RELEASED' });
    await cancel(66);
    await assert.rejects(reserve(66, 6, 1), { reason: 'INVENTORY_RESERVATION_RELEASED' });
    assert.deepEqual(await now(6), [5, 0]);
    assert.deepEqual(await told(orderId(6)), []);
  });

  test('twenty releases at once give back once', async () => {
    await put(7, 5);
    await reserve(7, 7, 4);
    await Promise.all(
      Array.from({ length: 20 }, () => world.stock.releaseStock(world.system, { orderId: orderId(7) })),
    );
    assert.deepEqual(await now(7), [5, 0]);
    assert.deepEqual(await told(orderId(7)), ['StockReserved', 'StockReleased']);
  });

  test('twenty sales at once sell once; a cancellation puts it back once', async () => {
    await put(8, 5);
    await reserve(8, 8, 4);
    const commit = () => world.stock.commitReservation(world.system, { orderId: orderId(8) });
    const sold = await Promise.all(Array.from({ length: 20 }, commit));
    assert.ok(sold.every(({ status }) => status === COMMITTED));
    assert.deepEqual(await now(8), [1, 0]);
    await Promise.all(Array.from({ length: 20 }, (_, n) => cancel(8, `cancelled ${n}`)));
    assert.deepEqual(await now(8), [5, 0]);
    assert.equal((await commit()).status, RELEASED);
    assert.deepEqual(await told(orderId(8)), ['StockReserved', 'StockCommitted', 'StockReleased']);
  });

  test('a sale and a cancellation at once leave the shelf as it was', async () => {
    await put(9, 100);
    for (let n = 900; n < 920; n++) {
      await reserve(n, 9, 5);
      await Promise.all([world.stock.commitReservation(world.system, { orderId: orderId(n) }), cancel(n)]);
    }
    assert.deepEqual(await now(9), [100, 0]);
  });

  test('goods of a cancelled order that have left are not on the shelf, whichever is heard first', async () => {
    const tooLate = (order: number, id?: string) => {
      const parcel = { orderId: orderId(order), shipmentId: `shp_${uuid(order)}`, userId };
      return world.hear(ShipmentNotStoppedSchema, parcel, id);
    };
    await put(30, 10);
    for (const order of [31, 32, 33]) {
      await reserve(order, 30, 2);
      await world.stock.commitReservation(world.system, { orderId: orderId(order) });
    }
    await cancel(31);
    for (let time = 0; time < 2; time++) await tooLate(31);
    await tooLate(32);
    await cancel(32);
    assert.deepEqual(await now(30), [4, 0]);
    await Promise.all([cancel(33), tooLate(33)]);
    await Promise.all([cancel(33), tooLate(33)]);
    assert.deepEqual(await now(30), [4, 0]);
  });

  test('goods that have left and are promised to others are taken off as soon as there are others', async () => {
    await put(35, 2);
    await reserve(35, 35, 2);
    await world.stock.commitReservation(world.system, { orderId: orderId(35) });
    await cancel(35);
    await reserve(36, 35, 2);
    const parcel = { orderId: orderId(35), shipmentId: `shp_${uuid(35)}`, userId };
    await assert.rejects(world.hear(ShipmentNotStoppedSchema, parcel, 'left'), { reason: 'INVENTORY_PARCEL_LEFT' });
    await put(35, 4);
    await world.hear(ShipmentNotStoppedSchema, parcel, 'left');
    assert.deepEqual(await now(35), [2, 2]);
  });

  test('a reservation and its release at once hold nothing in the end', async () => {
    await put(13, 100);
    for (let n = 1300; n < 1320; n++) {
      const release = () => world.stock.releaseStock(world.system, { orderId: orderId(n) });
      await Promise.all([reserve(n, 13, 5).catch(() => undefined), n % 2 === 0 ? release() : cancel(n)]);
    }
    assert.deepEqual(await now(13), [100, 0]);
  });

  test('an unknown order has nothing to sell', async () => {
    await assert.rejects(world.stock.commitReservation(world.system, { orderId: orderId(9999) }), {
      reason: 'INVENTORY_RESERVATION_UNKNOWN',
    });
  });

  test('what is held too long is given back; a confirmed order still gets it while there is stock', async () => {
    await put(10, 5);
    await reserve(10, 10, 5, 60);
    await world.runtime.advance(61_000);
    await world.runJob('expire-reservations');
    await world.runJob('expire-reservations');
    assert.deepEqual(await now(10), [5, 0]);
    assert.deepEqual(await told(orderId(10)), ['StockReserved', 'StockReleased']);
    await assert.rejects(reserve(10, 10, 5), { reason: 'INVENTORY_RESERVATION_EXPIRED' });
    const commit = () => world.stock.commitReservation(world.system, { orderId: orderId(10) });
    assert.equal((await commit()).status, COMMITTED);
    assert.deepEqual(await now(10), [0, 0]);
  });

  test('low stock is announced when it becomes low', async () => {
    await put(11, 4);
    for (const order of [111, 112, 113]) await reserve(order, 11, 1);
    const low = (await world.published()).filter(({ key }) => key === productId(11));
    assert.deepEqual(
      low.map(({ schema, event }) => [schema.split('.').at(-1), event.available]),
      [['StockLow', 2]],
    );
  });

  test('an import is for services, and can be repeated', async () => {
    const lines = [20, 21, 20].map((n) => ({ productId: productId(n), onHand: n }));
    await assert.rejects(world.stock.importStock(world.admin, { lines }), { code: 'permission_denied' });
    const first = await world.stock.importStock(world.service('souk'), { lines });
    const again = await world.stock.importStock(world.service('souk'), { lines });
    assert.deepEqual([first.imported, again.imported, again.skipped], [2, 0, 3]);
    assert.deepEqual(await now(20), [20, 0]);
  });
});
