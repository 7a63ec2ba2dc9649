// Whether a shop that can do its work gets back to it by itself once what slowed it down is over. `SOUK_METASTABLE_SECONDS=60` lets the trigger last longer,
// `SOUK_METASTABLE_ARGS='--resilience.http={}'` takes a defence away.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import { type OutsideProvider, outsideProvider } from '../support/outside-provider.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { type ShopClient, shopClient } from '../support/shop-client.ts';
import { confirmedRate, lowestRate, orderSteadily, tellRun } from '../support/steady-orders.ts';

/** Well below what one process does. */
const ORDERS_PER_SECOND = 20;
const CALM_S = 10;
const TRIGGER_S = Number(process.env.SOUK_METASTABLE_SECONDS ?? 10);
const AFTER_S = 25;
/** Longer than the shop waits for an answer: all that is asked meanwhile is work for nothing, and is asked again. */
const DELAY_MS = 4000;
const RECOVERY_S = 5;
const ENOUGH = 0.95;
const SETTLE_MS = 90_000;

let provider: OutsideProvider;
let shop: ShopProcess;
let client: ShopClient;

before(async () => {
  provider = await outsideProvider();
  const more = (process.env.SOUK_METASTABLE_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  shop = await startShop({ args: [...provider.args, ...more], topology: 'one' });
  client = shopClient(shop);
});
after(async () => {
  await shop?.kill9();
  await provider?.stop();
});

test(`${ORDERS_PER_SECOND} orders a second, and a provider that is slow for ${TRIGGER_S} s`, {
  timeout: 300_000,
}, async (t) => {
  const productId = await client.product(100_000);
  const slowDown = (delayMs: number) => {
    provider.faults.delayMs = delayMs;
  };
  const endS = CALM_S + TRIGGER_S;
  const run = await orderSteadily(client, productId, {
    ordersPerSecond: ORDERS_PER_SECOND,
    seconds: endS + AFTER_S,
    acts: [
      { at: CALM_S, name: 'slow', run: () => slowDown(DELAY_MS) },
      { at: endS, name: 'after', run: () => slowDown(0) },
    ],
    settleMs: SETTLE_MS,
  });
  tellRun(run, (line) => t.diagnostic(line));
  const calm = confirmedRate(run, [CALM_S - 6, CALM_S]);
  const lowest = lowestRate(run, [endS + RECOVERY_S, endS + AFTER_S]);
  t.diagnostic(`${calm.toFixed(1)} a second before; afterwards at least ${lowest.toFixed(1)}`);
  assert.deepEqual(run.refused, []);
  assert.ok(calm > ORDERS_PER_SECOND * ENOUGH, `the machine is too busy for this test: ${calm} orders a second`);
  assert.ok(lowest >= calm * ENOUGH, `only ${lowest} of ${calm} a second, ${RECOVERY_S} s after the trigger`);

  const initialStock = new Map([[productId, 100_000]]);
  const orders = run.orders.map(({ id }) => id);
  assert.deepEqual(
    await audit(client, { orders, initialStock, providerFolder: provider.folder, timeoutMs: SETTLE_MS }),
    [],
  );
});
