// Whether a shop that can do its work gets back to it by itself once what slowed it down is over. `SOUK_METASTABLE_SECONDS=60` lets the trigger last longer,
// `SOUK_METASTABLE_ARGS='--resilience.http={}'` takes a defence away.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readExposition } from '@souk/app-souk';
import { audit } from '../support/audit.ts';
import { type OutsideProvider, outsideProvider } from '../support/outside-provider.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { type Buyer, type ShopClient, shopClient } from '../support/shop-client.ts';

/** Well below what one process does. */
const ORDERS_PER_SECOND = 20;
const CALM_S = 10;
const TRIGGER_S = Number(process.env.SOUK_METASTABLE_SECONDS ?? 10);
const AFTER_S = 25;
/** Longer than the shop waits for an answer: all that is asked meanwhile is work for nothing, and is asked again. */
const DELAY_MS = 4000;
const RECOVERY_S = 5;
/** So many seconds are looked at together: one alone has too few orders to tell 95 of a hundred. */
const WINDOW_S = 3;
const ENOUGH = 0.95;
const SETTLE_MS = 90_000;

let provider: OutsideProvider;
let shop: ShopProcess;
let client: ShopClient;

before(async () => {
  provider = await outsideProvider();
  const more = (process.env.SOUK_METASTABLE_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  shop = await startShop({ args: [...provider.args, ...more] });
  client = shopClient({ ...shop, url: shop.url, folder: provider.folder });
});
after(async () => {
  await shop?.kill9();
  await provider?.stop();
});

interface Second {
  readonly confirmed: number;
  readonly placed: number;
  readonly sent: number;
  readonly breaker: number;
}

test(`${ORDERS_PER_SECOND} orders a second, and a provider that is slow for ${TRIGGER_S} s`, {
  timeout: 300_000,
}, async (t) => {
  const productId = await client.product(100_000);
  const buyers: Buyer[] = [];
  while (buyers.length < 10) buyers.push(await client.buyer());

  const accepted: string[] = [];
  const refused: string[] = [];
  const place = async (n: number): Promise<void> => {
    const answer = await client.tryOrder(buyers[n % buyers.length] as Buyer, [{ productId, quantity: 1 }], {
      key: randomUUID(),
    });
    if (answer.status === 201) accepted.push(answer.body.id);
    else refused.push(`${answer.status} ${answer.body.code}`);
  };
  const seconds: Second[] = [];
  const look = async (): Promise<Second> => {
    const page = readExposition((await client.call<string>('GET', '/metrics')).body);
    const events = page.by('business_events_total', 'event');
    return {
      confirmed: events.order_confirmed ?? 0,
      placed: events.order_placed ?? 0,
      sent: page.sum(
        'souk_policy_events_total',
        ({ policy, event }) => policy === 'http:payment-provider' && event === 'attempts',
      ),
      breaker: page.sum('souk_breaker_state', ({ policy }) => policy === 'http:payment-provider'),
    };
  };

  const sent: Promise<void>[] = [];
  const beginMs = performance.now();
  const total = CALM_S + TRIGGER_S + AFTER_S;
  let last = await look();
  for (;;) {
    const atS = (performance.now() - beginMs) / 1000;
    provider.faults.delayMs = atS >= CALM_S && atS < CALM_S + TRIGGER_S ? DELAY_MS : 0;
    while (sent.length < Math.min(atS, total) * ORDERS_PER_SECOND) sent.push(place(sent.length));
    if (atS >= seconds.length + 1) {
      const now = await look();
      const { placed, confirmed, sent: asked } = last;
      seconds.push({
        placed: now.placed - placed,
        confirmed: now.confirmed - confirmed,
        sent: now.sent - asked,
        breaker: now.breaker,
      });
      last = now;
    }
    if (seconds.length >= total) break;
    await sleep(10);
  }
  provider.faults.delayMs = 0;
  await Promise.allSettled(sent);

  for (const [second, { placed, confirmed, sent: asked, breaker }] of seconds.entries()) {
    const trigger = second >= CALM_S && second < CALM_S + TRIGGER_S ? 'slow' : '';
    t.diagnostic(
      `${String(second).padStart(3)} s ${trigger.padEnd(4)} ${String(placed).padStart(4)} placed ${String(confirmed).padStart(4)} confirmed ${String(asked).padStart(4)} asked, breaker ${breaker}`,
    );
  }
  const rate = (from: number): number =>
    seconds.slice(from, from + WINDOW_S).reduce((sum, { confirmed }) => sum + confirmed, 0) / WINDOW_S;
  const calm = (rate(CALM_S - 2 * WINDOW_S) + rate(CALM_S - WINDOW_S)) / 2;
  const windows = Array.from({ length: AFTER_S - RECOVERY_S - WINDOW_S + 1 }, (_, n) =>
    rate(CALM_S + TRIGGER_S + RECOVERY_S + n),
  );
  t.diagnostic(`${calm.toFixed(1)} a second before; afterwards at least ${Math.min(...windows).toFixed(1)}`);
  assert.deepEqual(refused, []);
  assert.ok(calm > ORDERS_PER_SECOND * ENOUGH, `the machine is too busy for this test: ${calm} orders a second`);
  for (const [n, one] of windows.entries())
    assert.ok(one >= calm * ENOUGH, `${one} of ${calm} a second, ${RECOVERY_S + n} s after the trigger`);

  const initialStock = new Map([[productId, 100_000]]);
  assert.deepEqual(await audit(client, { orders: accepted, initialStock, timeoutMs: SETTLE_MS }), []);
});
