// The same of a shop that runs as a process for each service, beside a payment provider that does 25 requests a second and no more, first come
// first served, and does what it has taken on though nobody waits for it any more. Eight orders a second are two thirds of what it can do.
//
// For ten seconds it does two a second. Requests time out then, are sent again, and wait in line behind those that nobody waits for.
// Without defences in front of it the shop never comes out of that, though the provider is as fast as before and could do all that is asked:
// it is kept busy with what is too late. That is a metastable failure. What each defence alone does for it is in docs/how-to/resilience.md: here it is the
// breaker that cures it, while bulkhead and throttle alone make no difference. `SOUK_METASTABLE_SECONDS=20` lets the trouble last longer,
// `SOUK_METASTABLE_ARGS` gives the shop of the first test further settings.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type PolicyChange, PRESETS } from '@souk/resilience';
import { audit } from '../support/audit.ts';
import { narrowProvider } from '../support/narrow-provider.ts';
import { startShop } from '../support/shop.ts';
import { type ShopClient, shopClient } from '../support/shop-client.ts';
import {
  confirmedRate,
  inTime,
  latencyMs,
  lowestRate,
  orderSteadily,
  recoveryTime,
  type Span,
  type SteadyRun,
  tellRun,
} from '../support/steady-orders.ts';

const ORDERS_PER_SECOND = 8;
/** An order is two requests: to hold the money, and to take it. */
const REQUEST_MS = 40;
const SLOW_REQUEST_MS = 500;
const SLOW_AT = 10;
const SLOW_S = Number(process.env.SOUK_METASTABLE_SECONDS ?? 10);
const WELL_AT = SLOW_AT + SLOW_S;
const STOCK = 100_000;
const SETTLE_MS = 180_000;
/** Behind the first orders, at which every process is slow. */
const CALM: Span = [SLOW_AT - 6, SLOW_AT];
const RECOVERY_S = 5;
const ENOUGH = 0.9;
/** How long customers look at a page that says their order is being worked on, in seconds. */
const PATIENCE = 5;

interface Trial {
  readonly client: ShopClient;
  /** Goes on ordering for so many seconds behind the trouble, while something may happen. */
  run(
    afterS: number,
    further?: { readonly afterS: number; readonly name: string; readonly run: () => unknown },
  ): Promise<SteadyRun>;
  /** What is wrong in the books once all is settled. */
  audit(run: SteadyRun): Promise<string[]>;
}

async function withShop(
  t: TestContext,
  args: readonly string[],
  tryIt: (trial: Trial) => Promise<void>,
): Promise<void> {
  const provider = await narrowProvider(REQUEST_MS);
  try {
    const shop = await startShop({ args: [...provider.args, ...args], topology: 'split' });
    try {
      const client = shopClient(shop);
      const productId = await client.product(STOCK);
      await tryIt({
        client,
        run: async (afterS, further) => {
          const takes = (requestMs: number) => () => {
            provider.requestMs = requestMs;
          };
          const run = await orderSteadily(client, productId, {
            ordersPerSecond: ORDERS_PER_SECOND,
            seconds: WELL_AT + afterS,
            acts: [
              { at: SLOW_AT, name: 'slow', run: takes(SLOW_REQUEST_MS) },
              { at: WELL_AT, name: 'well again', run: takes(REQUEST_MS) },
              ...(further === undefined ? [] : [{ ...further, at: WELL_AT + further.afterS }]),
            ],
            settleMs: SETTLE_MS,
          });
          tellRun(run, (line) => t.diagnostic(line));
          const seconds = recoveryTime(run, WELL_AT, confirmedRate(run, CALM) * ENOUGH);
          const recovered = Number.isFinite(seconds) ? `${seconds} s behind its end` : 'not in that time';
          t.diagnostic(
            `${provider.asked} requests to the provider, ${provider.inVain} of them done for nobody; as many orders confirmed as before: ${recovered}`,
          );
          return run;
        },
        audit: ({ orders }) =>
          audit(client, {
            orders: orders.map(({ id }) => id),
            initialStock: new Map([[productId, STOCK]]),
            providerFolder: provider.folder,
            timeoutMs: SETTLE_MS,
          }),
      });
    } finally {
      await shop.kill9();
    }
  } finally {
    await provider.stop();
  }
}

function calmRate(run: SteadyRun): number {
  const calm = confirmedRate(run, CALM);
  assert.ok(calm > ORDERS_PER_SECOND * ENOUGH, `the machine is too busy for this test: ${calm} orders a second`);
  return calm;
}

test('a split shop is itself again within five seconds after its provider was slow for ten', {
  timeout: 600_000,
}, async (t) => {
  const more = (process.env.SOUK_METASTABLE_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  await withShop(t, more, async ({ run: go, audit: check }) => {
    const afterS = 35;
    const run = await go(afterS);
    assert.deepEqual(run.refused, []);
    const calm = calmRate(run);
    const after: Span = [WELL_AT + RECOVERY_S, WELL_AT + afterS];
    // Ten seconds in a row: orders that waited take turns with new ones, and some seconds see few of either.
    const lowest = lowestRate(run, after, 10);
    t.diagnostic(`${calm.toFixed(1)} orders confirmed a second before; afterwards at least ${lowest.toFixed(1)}`);
    assert.ok(lowest >= calm * ENOUGH, `only ${lowest} of ${calm} a second, ${RECOVERY_S} s after the trigger`);

    // Orders that waited and new ones share what the provider can do more than is asked, so these take longer until all are done.
    const share = inTime(run, after, PATIENCE);
    assert.ok(share >= ENOUGH, `only ${share} of the orders that were sent then were confirmed within ${PATIENCE} s`);
    const accepted = (span: Span) => latencyMs(run, 'acceptedAt', span, 0.9);
    const confirmed = (span: Span) => latencyMs(run, 'confirmedAt', span, 0.5);
    t.diagnostic(
      `90 % accepted within ${accepted(CALM)} ms before, ${accepted([SLOW_AT, WELL_AT])} ms meanwhile, ${accepted(after)} ms after; half confirmed within ${confirmed(CALM)} ms before, ${confirmed(after)} ms after`,
    );
    // Room for a machine that has other things to do as well.
    assert.ok(accepted(after) <= Math.max(500, accepted(CALM) * 4), `accepted only after ${accepted(after)} ms`);
    assert.deepEqual(await check(run), []);
  });
});

const { breaker, bulkhead, throttle } = PRESETS.http as Required<typeof PRESETS.http>;
const DEFENCES: PolicyChange = { breaker, bulkhead, throttle };
const NO_DEFENCES: Readonly<Record<string, PolicyChange>> = {
  'http:*': { breaker: null, bulkhead: null, throttle: null },
  'rpc:*': { breaker: null, bulkhead: null, throttle: null, retry: { budget: false } },
  server: { shed: null },
};

test('without its defences it stays down after its provider is well, until an operator gives them back to it', {
  timeout: 900_000,
}, async (t) => {
  const settings = [`--resilience.rules=${JSON.stringify(NO_DEFENCES)}`];
  await withShop(t, settings, async ({ client, run: go, audit: check }) => {
    const mendS = 20;
    const afterS = 65;
    const body = { pattern: 'http:payment-provider', change: DEFENCES, reason: 'it does not come back by itself' };
    const mend = async () =>
      client.ok('POST', '/api/v1/admin/resilience/changes', { token: await client.adminToken(), body });
    const run = await go(afterS, { afterS: mendS, name: 'defended', run: mend });
    assert.deepEqual(run.refused, []);
    const calm = calmRate(run);
    const down = confirmedRate(run, [WELL_AT + RECOVERY_S, WELL_AT + mendS]);
    const mended = confirmedRate(run, [WELL_AT + afterS - 10, WELL_AT + afterS]);
    t.diagnostic(
      `${calm.toFixed(1)} orders confirmed a second before, ${down.toFixed(1)} with a provider that is well, ${mended.toFixed(1)} with defences`,
    );
    assert.ok(down < calm / 2, `it came back without defences: ${down} of ${calm} a second`);
    assert.ok(mended >= calm * ENOUGH, `it did not come back with defences: ${mended} of ${calm} a second`);
    assert.deepEqual(await check(run), []);
  });
});
