// Two shops on one database under load, for three minutes: processes are killed and frozen, PostgreSQL is stopped and started, events come
// late and twice. Then every book must agree with every other.
//
//   npm run test:chaos                                     three minutes, all safeguards on
//   SOUK_CHAOS_SECONDS=60 SOUK_CHAOS_SEED=7 npm run test:chaos
//   SOUK_CHAOS_WITHOUT=fence|inbox|order npm run test:chaos   with one safeguard taken out: it must be noticed

import assert from 'node:assert/strict';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, seededRandom } from '@souk/kernel';
import { audit } from '../support/audit.ts';
import { auditDatabases, underWay, watchOutbox } from '../support/chaos-audit.ts';
import { type ChaosShop, type ChaosSystem, startChaosSystem } from '../support/chaos-system.ts';
import { doubled, insist, send, type Wish, wish } from '../support/crash-load.ts';
import { remove, type Safeguard, safeguards } from '../support/sabotage.ts';
import { type Buyer, type ShopClient, shopClient } from '../support/shop-client.ts';

const SECONDS = Number(process.env.SOUK_CHAOS_SECONDS ?? 180);
const SEED = Number(process.env.SOUK_CHAOS_SEED ?? 1);
const WITHOUT = process.env.SOUK_CHAOS_WITHOUT as Safeguard | undefined;
const CARDS = ['tok_visa', 'tok_visa', 'tok_visa', 'tok_flaky', 'tok_visa', 'tok_declined'];
const STOCK = [100_000, 60];
/** Orders that their customer cancels, now and then twice at once, at any moment of their life. */
const CANCELLED = 0.25;
/** Longer than a lease, so that a frozen process wakes up to find its work taken over. */
const AWAY_MS = [13_000, 16_000] as const;
/** A payment whose process died as it was sent is looked after for two minutes before it is known to be nothing. */
const SETTLE_MS = 240_000;

const random = seededRandom(SEED);
let system: ChaosSystem;
let clients: ShopClient[];
let buyers: Buyer[];
const initialStock = new Map<string, number>();
const wishes: Wish[] = [];
const away: Promise<void>[] = [];
let aways = 0;

before(async () => {
  if (WITHOUT !== undefined && !safeguards.includes(WITHOUT))
    throw new Error(`SOUK_CHAOS_WITHOUT: want ${safeguards.join(', ')}`);
  system = await startChaosSystem(
    [
      '--users.password-memory=8',
      '--users.password-passes=1',
      '--demo.products=5',
      '--log.level=warn',
      '--log.format=json',
    ],
    SEED,
  );
  await watchOutbox(system);
  if (WITHOUT !== undefined) {
    await remove(WITHOUT, system);
    for (const shop of system.shops) {
      await shop.kill9();
      await shop.start();
    }
  }
  clients = system.shops.map((shop) => shopClient({ ...system, url: shop.url }));
  const [client] = clients as [ShopClient];
  buyers = await Promise.all(CARDS.map((card) => client.buyer(card)));
  for (const stock of STOCK) initialStock.set(await client.product(stock), stock);
});
after(() => system?.stop());

const between = (source: Random, from: number, to: number): number => from + source.next() * (to - from);
const pick = <T>(source: Random, list: readonly T[]): T => list[Math.floor(source.next() * list.length)] as T;

/** One buyer: an order after the other at whichever shop answers, some of them cancelled on the way. */
async function buy(buyer: Buyer, source: Random, untilMs: number): Promise<void> {
  const products = [...initialStock.keys()];
  const cancelling: Promise<unknown>[] = [];
  while (performance.now() < untilMs) {
    const one = wish(
      buyer,
      pick(source, [products[0], products[0], products[1]]) as string,
      1 + Math.floor(source.next() * 3),
    );
    wishes.push(one);
    while (!(await send(pick(source, clients), one)) && performance.now() < untilMs) await sleep(100);
    if (one.orderId !== undefined && source.next() < CANCELLED) cancelling.push(cancel(buyer, one.orderId, source));
    await sleep(between(source, 20, 250));
  }
  await Promise.all(cancelling);
}

async function cancel(buyer: Buyer, orderId: string, source: Random): Promise<void> {
  await sleep(between(source, 0, 800));
  const times = source.next() < 0.3 ? [0, 1] : [0];
  // Refused when it has left, lost when the shop is gone: both are as good as not asked.
  await Promise.allSettled(
    times.map(() =>
      pick(source, clients).call('POST', `/api/v1/orders/${orderId}/cancel`, { token: buyer.token, body: {} }),
    ),
  );
}

/** The other troubles go on meanwhile, but one shop at a time is out of its mind: the other one takes its work over. */
function aside(trouble: (ms: number) => Promise<void>, source: Random): void {
  if (aways > 0) return;
  aways++;
  const done = trouble(between(source, ...AWAY_MS)).finally(() => {
    aways--;
  });
  away.push(done);
}

const troubles: Readonly<Record<string, (source: Random) => Promise<void>>> = {
  kill: async (source) => {
    const shop = pick(source, system.shops);
    await shop.kill9();
    await sleep(between(source, 0, 3_000));
    await shop.start();
  },
  'kill both': async (source) => {
    await Promise.all(system.shops.map((shop) => shop.kill9()));
    await sleep(between(source, 0, 1_000));
    await Promise.all(system.shops.map((shop) => shop.start()));
  },
  stall: async (source) => aside(pick(source, system.shops).stall, source),
  freeze: async (source) => aside(pick(source, system.shops).freeze, source),
  'power cut of PostgreSQL': () => system.restartPostgres('SIGQUIT', 1_500),
  'PostgreSQL stopped and started': (source) => system.restartPostgres('SIGINT', between(source, 200, 3_000)),
};

test(`${SECONDS} s of trouble${WITHOUT ? ` without ${WITHOUT}` : ''}, seed ${SEED}`, {
  timeout: (SECONDS + 400) * 1000,
}, async (t) => {
  const untilMs = performance.now() + SECONDS * 1000;
  const buying = Promise.all(buyers.map((buyer, index) => buy(buyer, seededRandom(SEED * 100 + index), untilMs)));
  const names = ['kill', 'stall', 'stall', ...Object.keys(troubles)];
  const counts = new Map<string, number>();
  while (performance.now() < untilMs - 5_000) {
    await sleep(between(random, 1_000, 4_000));
    const name = pick(random, names);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await troubles[name]?.(random);
  }
  await buying;
  await Promise.all(away);
  await Promise.all(system.shops.map((shop: ChaosShop) => (shop.alive ? undefined : shop.start())));
  const client = clients[0] as ShopClient;
  await insist(
    client,
    wishes.filter(({ orderId }) => orderId === undefined),
  );
  t.diagnostic(`${wishes.length} orders; ${[...counts].map(([name, times]) => `${name}: ${times}`).join(', ')}`);

  const settleMs = performance.now() + SETTLE_MS;
  let open = await underWay(system);
  while (open.length > 0 && performance.now() < settleMs) {
    await sleep(500);
    open = await underWay(system);
  }
  const orders = wishes.map(({ orderId }) => orderId as string);
  const violations = [
    ...open,
    ...(await auditDatabases(system)),
    ...(await audit(client, { orders, initialStock, timeoutMs: 20_000 })),
    ...(await doubled(client, wishes)),
  ];
  for (const line of violations.slice(0, 12)) t.diagnostic(line);
  if (WITHOUT === undefined)
    assert.deepEqual(violations, [], [...violations.slice(0, 20), ...system.faults().slice(-20)].join('\n'));
  else assert.notDeepEqual(violations, [], `nobody noticed that ${WITHOUT} was missing`);
});
