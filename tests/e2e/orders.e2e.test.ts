import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { type Buyer, eventually, type Order, type ShopClient, shopClient } from '../support/shop-client.ts';

let shop: ShopProcess;
let client: ShopClient;
const initialStock = new Map<string, number>();

before(async () => {
  shop = await startShop();
  client = shopClient(shop);
});
after(() => shop?.kill9());

async function product(stock: number, price?: number): Promise<string> {
  const id = await client.product(stock, price);
  initialStock.set(id, stock);
  return id;
}

test('a confirmed order is paid, packed, counted, rewarded and told, each once', async () => {
  const [buyer, productId] = [await client.buyer(), await product(10, 1999)];
  const placed = await client.placeOrder(buyer, [{ productId, quantity: 2 }], { wait: 10 });
  assert.equal(placed.status, 'CONFIRMED');
  assert.deepEqual(placed.total, { currency: 'EUR', minorUnits: '3998' });

  const order = await client.settled(buyer.token, placed.id);
  assert.deepEqual([order.paymentStatus, order.fulfilmentStatus], ['CAPTURED', 'PREPARING']);
  await eventually(async () => {
    assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 8, reserved: 0, available: 8 });
    assert.equal((await client.points(buyer.token, buyer.id)).balance, 39);
    const told = (await client.notifications(buyer.token, buyer.id)).filter(({ body }) => body.includes(order.id));
    assert.deepEqual(
      told.map(({ template }) => template),
      ['order-confirmed'],
    );
  });
  const [payment, ...others] = await client.payments(buyer.token, buyer.id);
  assert.equal(others.length, 0);
  assert.equal(payment?.id, order.paymentId);
  assert.deepEqual([payment?.status, payment?.captured?.minorUnits], ['CAPTURED', '3998']);
  const shipment = await client.ok<{ status: string }>('GET', `/api/v1/orders/${order.id}/shipment`, buyer);
  assert.match(shipment.status, /PENDING|LABEL_CREATED/);

  const { transitions } = await client.ok<{
    transitions: { version: number; event: string; from: string; to: string }[];
  }>('GET', `/api/v1/orders/${order.id}/history`, buyer);
  assert.deepEqual(
    transitions.map(({ version }) => version),
    transitions.map((_, index) => index + 1),
  );
  assert.deepEqual(
    transitions.slice(0, 2).map(({ event }) => event),
    ['OrderPlaced', 'OrderConfirmed'],
  );
  for (const [index, { from }] of transitions.entries()) if (index > 0) assert.equal(from, transitions[index - 1]?.to);
  assert.equal(transitions.length, order.version);

  const stats = await client.ok<Record<string, unknown>>(
    'GET',
    `/api/v1/users/${buyer.id}/stats?consistency=${order.position}`,
    buyer,
  );
  assert.partialDeepStrictEqual(stats, { orders: 1, confirmed: 1, rejected: 0, cancelled: 0, spent: [order.total] });
});

test('an order is answered at once, and its outcome can be asked for', async () => {
  const [buyer, productId] = [await client.buyer(), await product(1)];
  const answer = await client.tryOrder(buyer, [{ productId, quantity: 1 }]);
  assert.equal(answer.status, 201);
  assert.equal(answer.body.status, 'PLACED');
  assert.equal((await client.settled(buyer.token, answer.body.id)).status, 'CONFIRMED');
});

test('lines of one product are added up, also against the stock', async () => {
  const [buyer, productId] = [await client.buyer(), await product(5)];
  const twice = (quantity: number) => [
    { productId, quantity },
    { productId, quantity },
  ];
  const tooMany = await client.placeOrder(buyer, twice(3), { wait: 10 });
  assert.deepEqual([tooMany.status, tooMany.reason], ['REJECTED', 'OUT_OF_STOCK']);
  const enough = await client.placeOrder(buyer, twice(2), { wait: 10 });
  assert.equal(enough.status, 'CONFIRMED');
  assert.deepEqual(
    enough.items.map(({ quantity }) => quantity),
    [4],
  );
  await eventually(async () => assert.equal((await client.availability(productId)).onHand, 1));
});

test('pages of orders hold each order once, newest first', async () => {
  const [buyer, productId] = [await client.buyer(), await product(5)];
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push((await client.placeOrder(buyer, [{ productId, quantity: 1 }])).id);
  const seen: string[] = [];
  for (let page = ''; ; ) {
    const answer = await client.ok<{ orders: Order[]; nextPageToken: string }>(
      'GET',
      `/api/v1/users/${buyer.id}/orders?page_size=2&page_token=${encodeURIComponent(page)}`,
      buyer,
    );
    seen.push(...answer.orders.map(({ id }) => id));
    page = answer.nextPageToken;
    if (page === '') break;
  }
  assert.deepEqual(seen, ids.toReversed());
  for (const id of ids) await client.settled(buyer.token, id);
});

test('an order that is cancelled before it ships gives everything back', async () => {
  const [buyer, productId] = [await client.buyer(), await product(3)];
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 2 }]);
  await client.settled(buyer.token, id);
  const cancelled = await client.ok<Order>('POST', `/api/v1/orders/${id}/cancel`, { ...buyer, body: {} });
  assert.equal(cancelled.status, 'CANCELLED');
  await eventually(async () => {
    assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 3, reserved: 0 });
    assert.equal((await client.getOrder(buyer.token, id)).paymentStatus, 'REFUNDED');
    assert.equal((await client.payments(buyer.token, buyer.id))[0]?.status, 'REFUNDED');
    const { balance, entries } = await client.points(buyer.token, buyer.id);
    assert.equal(balance, 0);
    assert.deepEqual(entries.map(({ reason }) => reason).sort(), ['EARNED', 'REVERSED']);
    const templates = (await client.notifications(buyer.token, buyer.id)).map(({ template }) => template);
    assert.equal(templates.filter((template) => template === 'order-cancelled').length, 1);
  });
});

test('an order that is cancelled while it is placed ends with nothing held and nothing charged', async () => {
  const [buyer, productId] = [await client.buyer(), await product(20)];
  const ids = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
      await client.ok('POST', `/api/v1/orders/${id}/cancel`, { token: buyer.token, body: {} });
      return id;
    }),
  );
  for (const id of ids) assert.equal((await client.getOrder(buyer.token, id)).status, 'CANCELLED');
  await eventually(async () => {
    assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 20, reserved: 0 });
    for (const { status } of await client.payments(buyer.token, buyer.id))
      assert.ok(['VOIDED', 'REFUNDED'].includes(status), status);
    assert.equal((await client.points(buyer.token, buyer.id)).balance, 0);
  }, 20_000);
});

test('an administrator moves an order along the legal moves only', async () => {
  const [buyer, productId, token] = [await client.buyer(), await product(1), await client.adminToken()];
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
  await client.settled(buyer.token, id);
  const move = (status: string, headers = {}) =>
    client.call('PUT', `/api/v1/orders/${id}/status`, { token, body: { status }, headers });

  const tooSoon = await move('DELIVERED');
  assert.deepEqual([tooSoon.status, tooSoon.body.code], [409, 'ORDERS_ILLEGAL_TRANSITION']);
  assert.deepEqual(String(tooSoon.body.allowed).split(',').sort(), ['CANCELLED', 'SHIPPED']);

  const etag = (await client.call('GET', `/api/v1/orders/${id}`, buyer)).headers.get('etag') as string;
  assert.equal((await move('SHIPPED', { 'if-match': '"1"' })).status, 412);
  const shipped = await move('SHIPPED', { 'if-match': etag });
  assert.equal(shipped.status, 200, JSON.stringify(shipped.body));
  assert.equal((await client.call('POST', `/api/v1/orders/${id}/cancel`, { ...buyer, body: {} })).status, 409);
  assert.equal((await move('DELIVERED')).status, 200);
  assert.equal((await client.getOrder(buyer.token, id)).status, 'DELIVERED');
});

const DECLINED = [
  ['tok_declined', 'CARD_DECLINED'],
  ['tok_insufficient_funds', 'INSUFFICIENT_FUNDS'],
] as const;
for (const [card, reason] of DECLINED) {
  test(`${card} rejects the order, and leaves no stock held and nothing charged`, async () => {
    const [buyer, productId] = [await client.buyer(card), await product(2)];
    const order = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
    assert.deepEqual([order.status, order.reason], ['REJECTED', reason]);
    assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 2, reserved: 0 });
    assert.equal((await client.points(buyer.token, buyer.id)).balance, 0);
  });
}

for (const card of ['tok_visa', 'tok_flaky', 'tok_slow', 'tok_timeout']) {
  test(`${card} confirms the order, charged once`, async () => {
    const [buyer, productId] = [await client.buyer(card), await product(2)];
    const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
    assert.equal((await client.settled(buyer.token, id, 60_000)).status, 'CONFIRMED');
  });
}

test('a hundred buyers of ten pieces buy ten', async () => {
  const productId = await product(10);
  const buyers: Buyer[] = [];
  for (let i = 0; i < 10; i++) buyers.push(...(await Promise.all(Array.from({ length: 10 }, () => client.buyer()))));
  const orders = await Promise.all(
    buyers.map((buyer) => client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 20 })),
  );
  const settled = await Promise.all(orders.map(({ id }, index) => client.settled(buyers[index]?.token as string, id)));
  const ends = Object.groupBy(settled, ({ status, reason }) => `${status} ${reason}`);
  assert.deepEqual(Object.fromEntries(Object.entries(ends).map(([end, all]) => [end, all?.length])), {
    'CONFIRMED ': 10,
    'REJECTED OUT_OF_STOCK': 90,
  });
  await eventually(async () => assert.partialDeepStrictEqual(await client.availability(productId), { onHand: 0 }));
});

test('equal requests with one key, all at once, make one order', async () => {
  const [buyer, productId, key] = [await client.buyer(), await product(10), randomUUID()];
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.tryOrder(buyer, [{ productId, quantity: 1 }], { key })),
  );
  const good = answers.filter(({ status }) => status === 201);
  assert.ok(good.length > 0);
  for (const { status, body } of answers)
    if (status !== 201) assert.deepEqual([status, body.code], [409, 'IDEMPOTENCY_KEY_IN_FLIGHT']);
  const again = await client.tryOrder(buyer, [{ productId, quantity: 1 }], { key });
  for (const { body } of good) assert.deepEqual(body, again.body);
  const orders = await client.all<Order>(buyer.token, `/api/v1/users/${buyer.id}/orders`, 'orders');
  assert.deepEqual(
    orders.map(({ id }) => id),
    [again.body.id],
  );
  const other = await client.tryOrder(buyer, [{ productId, quantity: 2 }], { key });
  assert.deepEqual([other.status, other.body.code], [422, 'IDEMPOTENCY_KEY_REUSED']);
});

test('after all of it every book agrees with every other', async () => {
  assert.deepEqual(await audit(client, { orders: [], initialStock, timeoutMs: 20_000 }), []);
});
