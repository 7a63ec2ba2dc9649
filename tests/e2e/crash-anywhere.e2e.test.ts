import assert from 'node:assert/strict';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@souk/kernel';
import { audit } from '../support/audit.ts';
import { doubled, insist, send, type Wish, wish } from '../support/crash-load.ts';
import { endLostClaims } from '../support/lost-claims.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { type Buyer, type ShopClient, shopClient } from '../support/shop-client.ts';
import { postmasterOf } from '../support/shop-process.ts';

/** Every life is of another length, so that few rounds find what many would; `npm test -- --long` has time for many. */
const ROUNDS = process.env.SOUK_TEST_LONG === undefined ? 7 : 30;
const STOCK = 5000;
/** Longest life of a process under load, in milliseconds. */
const LIFE_MS = 1200;
const CARDS = ['tok_visa', 'tok_visa', 'tok_visa', 'tok_visa', 'tok_visa', 'tok_flaky', 'tok_declined', 'tok_visa'];

let shop: ShopProcess;
let client: ShopClient;
let buyers: Buyer[];
const initialStock = new Map<string, number>();
const wishes: Wish[] = [];
/** What the processes said of faults of their own. */
const faults = new Set<string>();
const random = seededRandom(Number(process.env.SOUK_TEST_SEED ?? 1));
/** Milliseconds, one out of every part of the longest, in any order. */
const lives = Array.from({ length: ROUNDS }, (_, part) => ((part + random.next()) / ROUNDS) * LIFE_MS)
  .map((ms) => ({ ms, at: random.next() }))
  .sort((one, other) => one.at - other.at)
  .map(({ ms }) => ms);

before(async () => {
  shop = await startShop();
  client = shopClient(shop);
  buyers = await Promise.all(CARDS.map((card) => client.buyer(card)));
  // The second product is soon sold out.
  for (const stock of [STOCK, 40]) initialStock.set(await client.product(stock), stock);
});
after(() => shop?.kill9());

function noteFaults(): void {
  for (const line of shop.output().split('\n')) {
    if (!line.includes('"level":50')) continue;
    const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string; stack: string } };
    faults.add(`${msg}: ${err?.stack}`);
  }
}

/** Every buyer orders, one order after the other, until the shop is gone or the time is over. */
async function buy(untilMs: number): Promise<Wish[]> {
  const products = [...initialStock.keys()];
  const all = await Promise.all(
    buyers.map(async (buyer) => {
      const own: Wish[] = [];
      while (performance.now() < untilMs) {
        const one = wish(buyer, products[random.next() < 0.8 ? 0 : 1] as string, 1 + Math.floor(random.next() * 3));
        own.push(one);
        if (!(await send(client, one))) break;
      }
      return own;
    }),
  );
  return all.flat();
}

for (let round = 1; round <= ROUNDS; round++) {
  test(`kill -9 at a random moment under load, time ${round}: what was under way can be asked for again`, async (t) => {
    const lifeMs = lives[round - 1] as number;
    const buying = buy(performance.now() + 10_000);
    await sleep(lifeMs);
    await shop.kill9();
    noteFaults();
    const made = await buying;
    wishes.push(...made);
    // What was under way in two deaths comes now, alone, and not after half a minute.
    if (round === ROUNDS) await endLostClaims(shop.folder);
    await shop.restart();
    await insist(client, made);
    t.diagnostic(
      `killed after ${Math.round(lifeMs)} ms, ${made.length} orders, open again in ${Math.round(shop.startMs)} ms`,
    );
    for (const [id, before] of initialStock) {
      const { onHand, available } = await client.availability(id);
      assert.ok(onHand >= 0 && available >= 0 && onHand <= before, `${id}: ${onHand} on hand, ${available} available`);
    }
  });
}

test('PostgreSQL killed under load comes back by itself, and nothing is lost', async () => {
  const buying = buy(performance.now() + 3000);
  await sleep(500);
  process.kill(postmasterOf(shop.folder) as number, 'SIGKILL');
  const made = await buying;
  wishes.push(...made);
  await insist(client, made);
});

test('after all of it every order has ended, once, and every book agrees with every other', async (t) => {
  const orders = wishes.map(({ orderId }) => orderId as string);
  t.diagnostic(`${orders.length} orders`);
  const violations = await audit(client, { orders, initialStock, timeoutMs: 60_000 });
  noteFaults();
  assert.deepEqual(violations, [], [...violations.slice(0, 20), ...faults].join('\n'));
  assert.deepEqual(await doubled(client, wishes), []);
});
