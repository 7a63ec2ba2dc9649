import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readExposition } from '@souk/app-souk';
import { allMetrics } from '../support/all-metrics.ts';
import { audit } from '../support/audit.ts';
import { type OutsideProvider, outsideProvider } from '../support/outside-provider.ts';
import { type Buyer, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { startTroubledShop, type TroubledShop } from '../support/troubled-shop.ts';

const SEARCH = 'souk.catalog.v1.CatalogService/ListProducts';
const AWARD = 'rpc:loyalty.AwardPoints';
const PROVIDER = 'http:payment-provider';
/** Of `souk_breaker_state`. */
const OPEN = 2;

/** As it is by default, but for four requests at once instead of hundreds; they wait longer, for a machine that is busy with other tests. */
const DOOR = {
  shed: {
    limit: { initial: 4, min: 4, max: 4 },
    queueFactor: 4,
    queueTimeoutMs: 3000,
    overloadAfterMs: 500,
    overloadWaitMs: 1000,
  },
};
/** What a search takes while the catalog is slow: four at once are 100 a second. */
const SLOW_MS = 40;
const SEARCHES_PER_SECOND = 250;
const LOAD_MS = 2000;
/** Breakers as they are by default, but probed sooner. */
const RULES = { 'rpc:*': { breaker: { openMs: 1000 } }, [PROVIDER]: { breaker: { openMs: 500 } } };

let provider: OutsideProvider;
let shop: TroubledShop;
let client: ShopClient;
const initialStock = new Map<string, number>();
const accepted: string[] = [];

before(async () => {
  provider = await outsideProvider();
  shop = await startTroubledShop([
    ...provider.args,
    `--resilience.server=${JSON.stringify(DOOR)}`,
    `--resilience.rules=${JSON.stringify(RULES)}`,
  ]);
  client = shopClient({ ...shop, folder: provider.folder });
});
afterEach(() => {
  provider.faults.down = false;
  shop.away.clear();
  shop.slow.clear();
});
after(async () => {
  await shop?.stop();
  await provider?.stop();
});

async function product(): Promise<string> {
  const id = await client.product(100);
  initialStock.set(id, 100);
  return id;
}

async function order(buyer: Buyer, productId: string): Promise<string> {
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
  accepted.push(id);
  return id;
}

const metrics = async () => readExposition(await allMetrics(shop));
const stateOf = async (policy: string): Promise<number> =>
  (await metrics()).sum('souk_breaker_state', (labels) => labels.policy === policy);
async function inTurn<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < times) results.push(await work());
  return results;
}

test('a provider that is down: orders wait behind its breaker, and all are confirmed and charged once when it is back', async () => {
  const [buyer, productId] = [await client.buyer(), await product()];
  provider.faults.down = true;
  const ids = await inTurn(12, () => order(buyer, productId));
  await eventually(async () => assert.equal(await stateOf(PROVIDER), OPEN));
  ids.push(await order(buyer, productId));
  for (const id of ids) assert.equal((await client.getOrder(buyer.token, id)).status, 'PLACED');
  assert.deepEqual(provider.inspect.charges(), []);

  provider.faults.down = false;
  for (const id of ids) assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  assert.deepEqual(
    provider.inspect.charges().map(({ status }) => status),
    ids.map(() => 'captured'),
  );
  assert.deepEqual(shop.told, [], 'no saga waits for a person');
});

test('loyalty and notifications that are down keep no order waiting, and points and letters come when they are back', async () => {
  const [buyer, productId] = [await client.buyer(), await product()];
  shop.away.add('souk.loyalty.v1.LoyaltyService').add('souk.notifications.v1.NotificationService');
  const ids = await inTurn(6, () => order(buyer, productId));
  for (const id of ids) assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  await eventually(async () => assert.equal(await stateOf(AWARD), OPEN));

  shop.away.clear();
  await eventually(async () => {
    const letters = (await client.notifications(buyer.token, buyer.id)).map(({ template }) => template);
    assert.equal(letters.filter((template) => template === 'order-confirmed').length, ids.length);
    assert.equal((await client.points(buyer.token, buyer.id)).entries.length, ids.length);
  }, 15_000);
  assert.deepEqual(shop.told, [], 'no saga waits for a person');
});

test('more searches than can be done are refused, while health answers and orders are taken; then all is as before', async () => {
  const [buyer, productId] = [await client.buyer(), await product()];
  const search = () => client.call('GET', '/api/v1/products?query=lamp');
  const timed = async <T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> => {
    const begunMs = performance.now();
    return { value: await work(), ms: performance.now() - begunMs };
  };
  const searches: ReturnType<typeof search>[] = [];
  const healths: Promise<{ value: { status: number }; ms: number }>[] = [];
  const orders: Promise<{ value: string; ms: number }>[] = [];

  shop.slow.set(SEARCH, SLOW_MS);
  const begunMs = performance.now();
  for (let round = 0; performance.now() - begunMs < LOAD_MS; round++) {
    const due = ((performance.now() - begunMs) * SEARCHES_PER_SECOND) / 1000;
    while (searches.length < due) searches.push(search());
    if (round % 8 === 0) {
      healths.push(timed(() => client.call('GET', '/health/ready')));
      orders.push(timed(() => order(buyer, productId)));
    }
    await sleep(20);
  }
  // All of them are heard before any is judged.
  await Promise.allSettled([...searches, ...healths, ...orders]);
  const answers = await Promise.all(searches);
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.length > answers.length / 5, `${refused.length} of ${answers.length} were refused`);
  assert.ok(refused.length < answers.length, 'some are served');
  for (const { status, headers, body } of refused) {
    assert.deepEqual([status, body.code], [503, 'RESILIENCE_SHED']);
    assert.ok(Number(headers.get('retry-after')) >= 1);
  }
  for (const { value, ms } of await Promise.all(healths)) {
    assert.equal(value.status, 200);
    assert.ok(ms < 1000, `health took ${ms} ms`);
  }
  // The contract leaves an order ten seconds.
  for (const { ms } of await Promise.all(orders)) assert.ok(ms < 5000, `an order took ${ms} ms`);

  shop.slow.clear();
  await eventually(async () => {
    for (const { status } of await inTurn(10, search)) assert.equal(status, 200);
  });
});

test('after all of it every book agrees with every other', async () => {
  assert.deepEqual(await audit(client, { orders: accepted, initialStock, timeoutMs: 15_000 }), []);
});
