import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasReason, type SoukError } from '@souk/kernel';
import { startWorld, type World } from './world.ts';

/** The longest that the breaker stays open, and the spread of those who come back. */
const LONGEST_SPARED_MS = 38_000;

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.close());

const state = () => world.deps.policies.find('http:payment-provider').look().breaker?.state;

test('orders wait while the provider is away and are paid once it is back; it is spared meanwhile', async () => {
  const method = await world.method();
  const orders = Array.from({ length: 12 }, () => world.order());
  world.provider.faults.down = true;
  for (const order of orders) {
    await assert.rejects(world.authorize(order, method), (error) => hasReason(error, 'PAYMENTS_OUTCOME_UNKNOWN'));
  }
  assert.equal(state(), 'OPEN');
  const asked = world.deps.policies.find('http:payment-provider').stats.attempts;
  const fromMs = performance.now();
  for (const order of orders) {
    // It may have been sent before: nobody may conclude that nothing happened.
    await assert.rejects(
      world.authorize(order, method),
      (error) => (error as SoukError).retry.kind === 'unknownOutcome',
    );
  }
  assert.ok(performance.now() - fromMs < 1000, 'nobody waits for what is spared');
  assert.equal(world.deps.policies.find('http:payment-provider').stats.attempts, asked);

  world.provider.faults.down = false;
  world.skip(LONGEST_SPARED_MS);
  for (let turn = 0; turn < 20; turn++) {
    for (const order of orders) await world.authorize(order, method).catch(() => undefined);
    world.skip(1000);
  }
  for (const order of orders) {
    const payment = await world.find(order);
    assert.equal(world.status(payment), 'AUTHORIZED');
    assert.equal(world.charges(String(payment.id)).length, 1);
  }
});

test('a look at a provider that is spared is none: it comes when the provider is asked again', async () => {
  const method = await world.method();
  const orders = Array.from({ length: 12 }, () => world.order());
  const ids: string[] = [];
  for (const order of orders) ids.push(String((await world.authorize(order, method)).id));
  world.provider.faults.down = true;
  // Their holds are to be let go of, by nobody but the sweeper.
  for (const order of orders) assert.equal(world.status(await world.void(order)), 'AUTHORIZED');
  assert.equal(state(), 'OPEN');
  for (let n = 0; n < 8; n++) {
    world.skip(300_000);
    await world.resume();
  }
  world.provider.faults.down = false;
  let leftMs = LONGEST_SPARED_MS + 15_000 + 300_000;
  const statuses = async () => Promise.all(orders.map(async (order) => world.status(await world.find(order))));
  for (; leftMs > 0 && (await statuses()).some((status) => status !== 'VOIDED'); leftMs -= 2000) {
    world.skip(2000);
    await world.resume();
  }
  assert.deepEqual([...new Set(await statuses())], ['VOIDED']);
  assert.ok(leftMs > 240_000, `not within a minute and a half: ${leftMs} ms were left`);
});
