import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import { Shipment_Status, ShippingService } from '@souk/contracts/shipping/v1/shipping';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import { createServiceWorld, migrationsOf } from '@souk/testkit';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { shipping } from '../src/service.ts';

const uuid = (n: number) => `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const userId = (n: number) => `usr_${uuid(n)}`;
const orderId = (n: number) => `ord_${uuid(n)}`;
const ADDRESS = { name: 'Ada Lovelace', line1: '12 St James Square', city: 'London', country: 'GB' };
const arrange = (n: number) => ({
  orderId: orderId(n),
  userId: userId(n),
  address: ADDRESS,
  lines: [{ productId: `prd_${uuid(1)}`, quantity: 2 }],
});
const { LABEL_CREATED, HANDED_OVER, IN_TRANSIT, DELIVERED, CANCELLED, LOST, RETURNED } = Shipment_Status;

const start = async (database: TestDatabase) => {
  const { db, runtime } = database;
  const world = await createServiceWorld(shipping, { db, runtime });
  return { ...world, shipments: world.client(ShippingService), system: world.service('orders') };
};

describe('shipments', () => {
  let database: TestDatabase;
  let world: Awaited<ReturnType<typeof start>>;
  before(async () => {
    database = await testDatabase('shipping', migrationsOf(shipping));
    world = await start(database);
  });
  after(() => database.close());

  const told = async (n: number) =>
    (await world.published()).filter(({ key }) => key === orderId(n)).map(({ schema }) => schema.split('.').at(-1));
  const move = (n: number, status: Shipment_Status, more = {}) =>
    world.shipments.updateShipmentStatus(world.admin, { orderId: orderId(n), status, ...more });

  test('twenty equal requests at once make one shipment', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, () => world.shipments.arrangeShipment(world.system, arrange(1))),
    );
    assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    assert.equal(made[0]?.status, LABEL_CREATED);
    assert.match(made[0]?.trackingNumber ?? '', /^SK[0-9A-F]{12}$/);
    assert.deepEqual(await told(1), ['ShipmentArranged']);
  });

  test('a cancelled order is not shipped: its late shipment is answered as cancelled', async () => {
    const event = { orderId: orderId(2), userId: userId(2) };
    await world.hear(OrderCancelledSchema, event, 'once');
    await world.hear(OrderCancelledSchema, event, 'once');
    const late = await world.shipments.arrangeShipment(world.system, arrange(2));
    assert.equal(late.status, CANCELLED);
    assert.equal(late.address, undefined);
    assert.deepEqual(await told(2), []);
  });

  test('an arranged shipment is stopped with its order, once', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(3));
    const event = { orderId: orderId(3), userId: userId(3) };
    await Promise.all(Array.from({ length: 20 }, (_, n) => world.hear(OrderCancelledSchema, event, `event ${n}`)));
    assert.equal((await world.shipments.cancelShipment(world.system, { orderId: orderId(3) })).version, 2);
    assert.deepEqual(await told(3), ['ShipmentArranged', 'ShipmentCancelled']);
  });

  test('arranging and cancelling at once always ends cancelled', async () => {
    for (let n = 200; n < 220; n++) {
      await Promise.all([
        world.shipments.arrangeShipment(world.system, arrange(n)),
        world.hear(OrderCancelledSchema, { orderId: orderId(n), userId: userId(n) }),
      ]);
      const shipment = await world.shipments.getShipment(world.user(userId(n)), { orderId: orderId(n) });
      assert.equal(shipment.status, CANCELLED);
    }
  });

  test('what has left is not stopped, and whoever has to know that the order was cancelled too late is told, once', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(4));
    await move(4, HANDED_OVER);
    const cancelled = { orderId: orderId(4), userId: userId(4) };
    for (let time = 0; time < 2; time++) await world.hear(OrderCancelledSchema, cancelled, 'too-late');
    const kept = await world.shipments.cancelShipment(world.system, { orderId: orderId(4) });
    assert.equal(kept.status, HANDED_OVER);
    assert.deepEqual(await told(4), ['ShipmentArranged', 'ShipmentDispatched', 'ShipmentNotStopped']);
  });

  test('the carrier is followed along legal moves; it leaves once, and a repeat is no news', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(5));
    await assert.rejects(move(5, DELIVERED), { reason: 'SHIPPING_ILLEGAL_TRANSITION' });
    for (const status of [HANDED_OVER, HANDED_OVER, IN_TRANSIT, DELIVERED, DELIVERED]) await move(5, status);
    assert.deepEqual(await told(5), ['ShipmentArranged', 'ShipmentDispatched', 'ShipmentDelivered']);
    const { events, version } = await world.shipments.getShipment(world.user(userId(5)), { orderId: orderId(5) });
    assert.deepEqual(
      events.map(({ status }) => status),
      [LABEL_CREATED, HANDED_OVER, IN_TRANSIT, DELIVERED],
    );
    assert.equal(version, 4);
  });

  test('twenty reports of one move at once are one', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(6));
    await Promise.all(Array.from({ length: 20 }, () => move(6, IN_TRANSIT)));
    assert.deepEqual(await told(6), ['ShipmentArranged', 'ShipmentDispatched']);
  });

  test('a move based on an old version, or of no shipment, is refused', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(7));
    await assert.rejects(move(7, HANDED_OVER, { etag: '"9"' }), { reason: 'SERVICE_VERSION_MISMATCH' });
    await assert.rejects(move(99, HANDED_OVER), { reason: 'SHIPPING_NOT_FOUND' });
  });

  test('a foreign shipment looks like none, and only administrators move one', async () => {
    await world.shipments.arrangeShipment(world.system, arrange(8));
    const request = { orderId: orderId(8) };
    const stranger = world.user(userId(1));
    await assert.rejects(world.shipments.getShipment(stranger, request), { reason: 'SHIPPING_NOT_FOUND' });
    assert.equal((await world.shipments.getShipment(world.admin, request)).orderId, orderId(8));
    const mine = world.user(userId(8));
    await assert.rejects(world.shipments.updateShipmentStatus(mine, { ...request, status: HANDED_OVER }), {
      code: 'permission_denied',
    });
    await assert.rejects(world.shipments.cancelShipment(mine, request), { code: 'permission_denied' });
  });

  test('addresses of a forgotten user go: of ended parcels at once, of others as they end', async () => {
    const user = userId(9);
    for (const n of [91, 92, 93]) await world.shipments.arrangeShipment(world.system, { ...arrange(n), userId: user });
    for (const status of [HANDED_OVER, LOST]) await move(91, status);
    await move(92, IN_TRANSIT);
    await world.hear(UserDeletedSchema, { userId: user });
    const address = async (n: number) =>
      (await world.shipments.getShipment(world.admin, { orderId: orderId(n) })).address?.name;
    assert.deepEqual([await address(91), await address(92)], [undefined, ADDRESS.name]);
    await move(92, RETURNED);
    await world.shipments.cancelShipment(world.system, { orderId: orderId(93) });
    assert.deepEqual([await address(92), await address(93)], [undefined, undefined]);
    const { rows } = await database.db
      .at(database.ctx)
      .query(`select 1 from shipment where user_id = $1 and address <> '{}'`, [user]);
    assert.equal(rows.length, 0);
  });

  test('anybody may ask what shipping costs', async () => {
    const request = { address: ADDRESS, items: arrange(1).lines };
    const { quotes } = await world.shipments.quoteShipping(world.nobody, request);
    const home = await world.shipments.quoteShipping(world.nobody, {
      ...request,
      address: { ...ADDRESS, country: 'DE' },
    });
    const cost = (all: typeof quotes) => all.map((quote) => quote.cost?.minorUnits ?? 0n);
    assert.deepEqual(
      cost(quotes),
      cost(home.quotes).map((one) => one * 3n),
    );
    assert.deepEqual(
      cost(quotes),
      cost(quotes).toSorted((a, b) => Number(a - b)),
    );
  });
});
