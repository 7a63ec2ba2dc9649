import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import { type CrashPoint, describePoint } from '../support/crash-point.ts';
import { endLostClaims } from '../support/lost-claims.ts';
import { topology } from '../support/shop.ts';
import { type Buyer, type ShopClient, shopClient } from '../support/shop-client.ts';
import { type CrashingShop, startCrashingShop } from '../support/start-crashing-shop.ts';

const STOCK = 1000;
/** What a crash left of a payment is looked into sooner than in production, yet later than any call takes. */
const SETTINGS = ['--payments.resume-after=4s', '--payments.abandon-after=5s'];
/** Orders cancelled at once when the process dies. */
const AT_ONCE = 3;

/** Everything that a cancellation goes through, in any order. */
const PLACES = [
  'souk.orders.v1.OrderService/CancelOrder',
  ...['payments', 'inventory', 'shipping', 'loyalty', 'notifications'].map(
    (service) => `${service} hears souk.orders.order-cancelled.v1`,
  ),
  'orders hears souk.payments.payment-refunded.v1',
  'orders hears souk.shipping.shipment-cancelled.v1',
];
const points = PLACES.flatMap((what): CrashPoint[] => {
  const at = /^(\w+) hears /.exec(what)?.[1] ?? 'orders';
  return [
    { when: 'before', what, at },
    { when: 'after', what, at },
  ];
});

let crashing: CrashingShop;
let client: ShopClient;
let buyer: Buyer;
let orders: string[];
const initialStock = new Map<string, number>();

before(async () => {
  crashing = await startCrashingShop({ args: SETTINGS });
  client = shopClient(crashing.shop);
  buyer = await client.buyer();
  const productId = await client.product(STOCK);
  initialStock.set(productId, STOCK);
  // One more stays as it is.
  orders = await Promise.all(
    Array.from({ length: points.length * AT_ONCE + 1 }, async () => {
      const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
      await client.settled(buyer.token, id);
      return id;
    }),
  );
});
after(() => crashing?.shop.kill9());

const cancel = (id: string) => client.call('POST', `/api/v1/orders/${id}/cancel`, { token: buyer.token, body: {} });

for (const [index, point] of points.entries()) {
  test(`kill -9 ${describePoint(point)}, and go on`, async () => {
    const round = orders.slice(index * AT_ONCE, (index + 1) * AT_ONCE);
    const { death, revive } = await crashing.arm(point);
    const asked = round.map((id) => cancel(id).catch(() => undefined));
    await death;
    await Promise.all(asked);
    // Nobody dies again: what was under way in two deaths comes now, alone, and not after half a minute. A shop that still runs has claims that are good.
    if (index === points.length - 1 && topology === 'one') await endLostClaims(crashing.shop.folder);
    await revive();
    // As a customer who got no answer.
    for (const id of round) assert.equal((await cancel(id)).status, 200);
  });
}

test('after all crashes every cancelled order is undone in every part, once, and the other one is as it was', async () => {
  for (const [index, id] of orders.entries()) {
    const { status } = await client.getOrder(buyer.token, id);
    assert.equal(status, index < orders.length - 1 ? 'CANCELLED' : 'CONFIRMED');
  }
  assert.deepEqual(await audit(client, { orders, initialStock, timeoutMs: 60_000 }), []);
});
