import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import type { Gate, Moment } from '../support/gates.ts';
import { type Buyer, eventually, type Order, type ShopClient, shopClient } from '../support/shop-client.ts';
import { startTroubledShop, type TroubledShop } from '../support/troubled-shop.ts';

const CANCELLED = 'souk.orders.order-cancelled.v1';
const METHODS = [
  'souk.users.v1.UserService/CheckUser',
  'souk.inventory.v1.InventoryService/ReserveStock',
  'souk.payments.v1.PaymentService/AuthorizePayment',
  'souk.payments.v1.PaymentService/CapturePayment',
  'souk.inventory.v1.InventoryService/CommitReservation',
  'souk.shipping.v1.ShippingService/ArrangeShipment',
  'souk.loyalty.v1.LoyaltyService/AwardPoints',
  'souk.notifications.v1.NotificationService/Notify',
];
const STOCK = 1000;

let shop: TroubledShop;
let client: ShopClient;
let buyer: Buyer;
let productId: string;
const initialStock = new Map<string, number>();
const notRefunded = new Set<string>();
const gates: Gate[] = [];

before(async () => {
  shop = await startTroubledShop(['--payments.resume-after=2s', '--payments.abandon-after=3s']);
  client = shopClient(shop);
  buyer = await client.buyer();
  productId = await client.product(STOCK);
  initialStock.set(productId, STOCK);
});
afterEach(() => {
  for (const gate of gates.splice(0)) gate.open();
});
after(() => shop?.stop());

function hold(moment: Moment, what: string): Gate {
  const gate = shop.hold(moment, what);
  gates.push(gate);
  return gate;
}

const place = async (by = buyer): Promise<string> => (await client.placeOrder(by, [{ productId, quantity: 1 }])).id;
const cancel = (id: string, by = buyer) =>
  client.call<Order & { code: string }>('POST', `/api/v1/orders/${id}/cancel`, { token: by.token, body: {} });
const dispatch = async (id: string, status = 'HANDED_OVER') =>
  client.call('PUT', `/api/v1/orders/${id}/shipment/status`, { token: await client.adminToken(), body: { status } });
const now = (id: string, by = buyer) => client.getOrder(by.token, id);
const cancellationsOf = async (id: string): Promise<number> => {
  const { transitions } = await client.ok<{ transitions: { event: string }[] }>(
    'GET',
    `/api/v1/orders/${id}/history`,
    buyer,
  );
  return transitions.filter(({ event }) => event === 'OrderCancelled').length;
};
const clean = async (): Promise<void> =>
  assert.deepEqual(await audit(client, { orders: [], initialStock, notRefunded, timeoutMs: 20_000 }), []);

for (const moment of ['before', 'after'] as const) {
  for (const method of METHODS) {
    test(`cancelled ${moment} ${method.split('/')[1]}: it stays cancelled`, async () => {
      const gate = hold(moment, method);
      const id = await place();
      await gate.reached;
      assert.deepEqual([(await cancel(id)).body.status, await cancellationsOf(id)], ['CANCELLED', 1]);
      gate.open();
      assert.equal((await now(id)).status, 'CANCELLED');
    });
  }
}

test('cancelled before the point of no return, an order gives everything back while a participant still hangs', async () => {
  const gate = hold('before', METHODS[2] as string);
  const own = await client.buyer();
  const id = await place(own);
  await gate.reached;
  const before = await client.availability(productId);
  assert.equal((await cancel(id, own)).status, 200);
  await eventually(async () => {
    const { body } = await client.call<{ saga: { status: string } }>('GET', `/api/v1/admin/sagas/${id}`, {
      token: await client.adminToken(),
    });
    assert.equal(body.saga.status, 'COMPENSATED');
    assert.equal((await client.availability(productId)).reserved, before.reserved - 1);
  }, 5000);
});

for (const service of ['payments', 'inventory', 'shipping', 'loyalty', 'notifications']) {
  test(`cancelled while ${service} hears of it late: the rest is undone, and it follows`, async () => {
    const id = await place();
    await client.settled(buyer.token, id);
    const gate = hold('before', `${service} hears ${CANCELLED}`);
    assert.equal((await cancel(id)).status, 200);
    await gate.reached;
    if (service !== 'payments') await eventually(async () => assert.equal((await now(id)).paymentStatus, 'REFUNDED'));
    gate.open();
  });
}

test('cancelled at any moment of its saga: every part is undone, or was never done', async () => {
  const ids = await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      const id = await place();
      // Each a little later on its way than the one before.
      for (let turn = 0; turn < index; turn++) await new Promise(setImmediate);
      assert.equal((await cancel(id)).status, 200);
      return id;
    }),
  );
  for (const id of ids) assert.equal((await now(id)).status, 'CANCELLED');
});

test('twenty cancels at once are one', async () => {
  const id = await place();
  await client.settled(buyer.token, id);
  const answers = await Promise.all(Array.from({ length: 20 }, () => cancel(id)));
  assert.ok(answers.every(({ status, body }) => status === 200 && body.status === 'CANCELLED'));
  assert.equal(await cancellationsOf(id), 1);
});

test('of a cancel and a dispatch at once: not sent, or not cancelled, or the order says that the parcel is gone', async (t) => {
  const ends = new Map<string, number>();
  for (let time = 0; time < 15; time++) {
    const id = await place();
    await client.settled(buyer.token, id);
    // Both at once, the parcel first, the customer first.
    const leaving = time % 3 === 2 ? undefined : dispatch(id);
    if (time % 3 === 1) await leaving;
    const cancelling = cancel(id);
    if (leaving === undefined) await cancelling;
    const [left, refused] = await Promise.all([leaving ?? dispatch(id), cancelling]);
    const parcel = left.status === 200;
    await eventually(async () => {
      const { status, fulfilmentStatus } = await now(id);
      const end = `${status} ${fulfilmentStatus}`;
      const expected =
        refused.status !== 200 ? 'SHIPPED IN_TRANSIT' : `CANCELLED ${parcel ? 'IN_TRANSIT' : 'RETURNED'}`;
      assert.equal(end, expected);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    });
  }
  t.diagnostic([...ends].map(([end, times]) => `${end}: ${times}`).join(', '));
});

test('cancelled in the moment its parcel leaves: the money goes back, the goods stay gone, and the order says so', async () => {
  const id = await place();
  await client.settled(buyer.token, id);
  const gate = hold('before', `shipping hears ${CANCELLED}`);
  await cancel(id);
  await gate.reached;
  assert.equal((await dispatch(id)).status, 200);
  gate.open();
  await eventually(async () => {
    const { status, paymentStatus, fulfilmentStatus } = await now(id);
    assert.deepEqual([status, paymentStatus, fulfilmentStatus], ['CANCELLED', 'REFUNDED', 'IN_TRANSIT']);
  });
  await dispatch(id, 'DELIVERED');
  await eventually(async () => assert.equal((await now(id)).fulfilmentStatus, 'RECEIVED'));
});

test('a refund that fails late: the order says that the money is still to come', async () => {
  const own = await client.buyer('tok_refund_fails_late');
  const id = await place(own);
  await client.settled(own.token, id);
  notRefunded.add(id);
  assert.equal((await cancel(id, own)).status, 200);
  await eventually(async () => assert.equal((await now(id, own)).paymentStatus, 'REFUND_FAILED'));
  const [payment] = await client.payments(own.token, own.id);
  assert.equal(payment?.status, 'CAPTURED');
  const again = await client.call('POST', `/api/v1/payments/${payment?.id}/refund`, {
    token: await client.adminToken(),
    key: `again ${id}`,
    body: { reason: 'the bank is back' },
  });
  assert.equal(again.status, 200, JSON.stringify(again.body));
  // The bank of this card takes every refund back.
  await eventually(async () => assert.equal((await now(id, own)).paymentStatus, 'REFUNDED'));
  await eventually(async () => assert.equal((await now(id, own)).paymentStatus, 'REFUND_FAILED'));
});

test('after all of it every book agrees with every other', clean);
