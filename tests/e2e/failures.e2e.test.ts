import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import type { Gate, Moment } from '../support/gates.ts';
import { mailServer } from '../support/mail-server.ts';
import { eventually, type Order, type ShopClient, shopClient } from '../support/shop-client.ts';
import { startTroubledShop, type TroubledShop } from '../support/troubled-shop.ts';

const RESERVE = 'souk.inventory.v1.InventoryService/ReserveStock';
const AUTHORIZE = 'souk.payments.v1.PaymentService/AuthorizePayment';
const AWARD = 'souk.loyalty.v1.LoyaltyService/AwardPoints';

let mailIsDown = false;
let mail: Awaited<ReturnType<typeof mailServer>>;
let shop: TroubledShop;
let client: ShopClient;
const initialStock = new Map<string, number>();
const gates: Gate[] = [];

before(async () => {
  mail = await mailServer((word) => (mailIsDown && word === 'GREETING' ? '421 not now' : ''));
  shop = await startTroubledShop([`--smtp.url=${mail.url}`, '--payments.call-timeout=300ms']);
  client = shopClient(shop);
});
afterEach(() => {
  mailIsDown = false;
  shop.away.clear();
  for (const gate of gates.splice(0)) gate.open();
});
after(async () => {
  await shop?.stop();
  await mail?.close();
});

function hold(moment: Moment, what: string): Gate {
  const gate = shop.hold(moment, what);
  gates.push(gate);
  return gate;
}

async function product(stock: number): Promise<string> {
  const id = await client.product(stock);
  initialStock.set(id, stock);
  return id;
}

const orderOf = (productId: string, by: Awaited<ReturnType<ShopClient['buyer']>>): Promise<Order> =>
  client.placeOrder(by, [{ productId, quantity: 1 }]);
const sagaOf = async (id: string) =>
  await client.ok<{ saga: { status: string; step: string }; records: { kind: string; step: string }[] }>(
    'GET',
    `/api/v1/admin/sagas/${id}`,
    { token: await client.adminToken() },
  );

test('a provider that charges and never answers: the order is confirmed, and charged once', async () => {
  const [buyer, productId] = [await client.buyer('tok_timeout'), await product(1)];
  const { id } = await orderOf(productId, buyer);
  assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  const payments = await client.payments(buyer.token, buyer.id);
  assert.deepEqual(
    payments.map(({ status }) => status),
    ['CAPTURED'],
  );
});

test('the last piece is held for whoever came first, and free again when their card is declined', async () => {
  const [first, second, productId] = [await client.buyer('tok_declined'), await client.buyer(), await product(1)];
  const gate = hold('before', AUTHORIZE);
  const { id } = await orderOf(productId, first);
  await gate.reached;
  const none = await client.placeOrder(second, [{ productId, quantity: 1 }], { wait: 10 });
  assert.deepEqual([none.status, none.reason], ['REJECTED', 'OUT_OF_STOCK']);
  gate.open();
  assert.equal((await client.settled(first.token, id)).reason, 'CARD_DECLINED');
  await eventually(async () => assert.equal((await client.availability(productId)).available, 1));
  const last = await client.placeOrder(second, [{ productId, quantity: 1 }], { wait: 10 });
  assert.equal(last.status, 'CONFIRMED');
});

test('shipping that is down holds up the parcel, not the order; a cancellation meanwhile leaves none', async () => {
  const [buyer, productId] = [await client.buyer(), await product(2)];
  shop.away.add('souk.shipping.v1.ShippingService');
  const orders = await Promise.all(
    [1, 2].map(() => client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 })),
  );
  for (const { status } of orders) assert.equal(status, 'CONFIRMED');
  const [kept, cancelled] = orders as [Order, Order];
  await eventually(async () => {
    for (const { id } of orders)
      assert.ok(
        (await sagaOf(id)).records.some(({ step, kind }) => step === 'capture-payment' && kind === 'STEP_DONE'),
      );
  });
  assert.equal((await client.getOrder(buyer.token, kept.id)).fulfilmentStatus, 'RESERVED');
  await client.ok('POST', `/api/v1/orders/${cancelled.id}/cancel`, { token: buyer.token, body: {} });
  shop.away.clear();
  const packed = await client.settled(buyer.token, kept.id);
  assert.deepEqual([packed.status, packed.fulfilmentStatus], ['CONFIRMED', 'PREPARING']);
});

test('loyalty that is down keeps nobody waiting, and the points come when it is back', async () => {
  const [buyer, productId] = [await client.buyer(), await product(1)];
  shop.away.add(AWARD);
  const { id } = await orderOf(productId, buyer);
  assert.equal((await client.settled(buyer.token, id)).fulfilmentStatus, 'PREPARING');
  assert.equal((await client.points(buyer.token, buyer.id)).balance, 0);
  shop.away.clear();
  await eventually(async () => assert.equal((await client.points(buyer.token, buyer.id)).balance, 19));
});

test('e-mail that is refused keeps no order waiting, and is sent once when the server takes it', async () => {
  const [buyer, productId] = [await client.buyer(), await product(1)];
  const sent = () => mail.messages.filter((message) => message.includes(buyer.email) && message.includes('confirmed'));
  mailIsDown = true;
  const { id } = await orderOf(productId, buyer);
  await client.settled(buyer.token, id);
  await eventually(async () => {
    const told = (await client.notifications(buyer.token, buyer.id)) as unknown as {
      template: string;
      status: string;
    }[];
    assert.equal(told.find(({ template }) => template === 'order-confirmed')?.status, 'QUEUED');
  });
  assert.equal((await sagaOf(id)).saga.status, 'COMPLETED');
  assert.deepEqual(sent(), []);
  mailIsDown = false;
  await eventually(async () => assert.equal(sent().length, 1), 15_000);
});

test('a participant slower than its deadline is asked again, and does its work once', async () => {
  const [buyer, productId] = [await client.buyer(), await product(5)];
  const slow = hold('after', RESERVE);
  const { id } = await orderOf(productId, buyer);
  await slow.reached;
  // The first attempt has been given up, and another one made.
  await eventually(async () => assert.ok(slow.arrivals > 1), 15_000);
  slow.open();
  assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 4, reserved: 0 });
});

test('after all of it every book agrees with every other', async () => {
  assert.deepEqual(await audit(client, { orders: [], initialStock, timeoutMs: 20_000 }), []);
});
