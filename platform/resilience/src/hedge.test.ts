import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { policyWorld, watch } from '../test/world.ts';

const errors = defineErrors('TEST', {
  DOWN: { code: 'unavailable', text: '{who} is down', retry: 'later' },
  NOT_FOUND: { code: 'not_found', text: 'not there' },
});
const always = { ratio: 1, minPerSec: 100 };

test('a slow call gets company, the first answer wins, and the other is called off and counts as cancelled', async () => {
  const world = policyWorld({ hedge: { delayMs: 50, budget: always }, breaker: {} });
  const seen = watch(world.policy.run(world.work));
  await world.runtime.advance(49);
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(20);
  assert.equal(world.jobs.length, 2);
  world.jobs[1]?.resolve('second');
  await world.runtime.settle();
  assert.equal(seen.value, 'second');
  assert.equal(world.jobs[0]?.signal.aborted, true);
  assert.deepEqual([world.policy.stats.hedges, world.policy.stats.hedgesWon], [1, 1]);
  assert.equal(world.policy.breaker?.peek(100).calls, 1);
});

test('a failure starts the next one at once; when all have failed the first one’s error is told', async () => {
  const world = policyWorld({ hedge: { delayMs: -1, maxAttempts: 3, budget: always } });
  const seen = watch(world.policy.run(world.work));
  world.jobs[0]?.reject(errors.DOWN({ who: 'first' }));
  await world.runtime.settle();
  assert.equal(world.jobs.length, 2);
  world.jobs[1]?.reject(errors.DOWN({ who: 'second' }));
  await world.runtime.settle();
  world.jobs[2]?.reject(errors.DOWN({ who: 'third' }));
  await world.runtime.settle();
  assert.equal((seen.error as Error).message, 'first is down');
});

test('a caller’s fault ends all of them', async () => {
  const world = policyWorld({ hedge: { delayMs: 0, budget: always } });
  const seen = watch(world.policy.run(world.work));
  assert.equal(world.jobs.length, 2);
  world.jobs[1]?.reject(errors.NOT_FOUND());
  await world.runtime.settle();
  assert.equal((seen.error as { reason: string }).reason, 'TEST_NOT_FOUND');
  assert.equal(world.jobs[0]?.signal.aborted, true);
});

test('there is no company without budget, while others wait for a slot, or while the breaker is not closed', async () => {
  for (const config of [
    { hedge: { delayMs: 10, budget: { ratio: 0, minPerSec: 0 } } },
    { hedge: { delayMs: 10, budget: always }, bulkhead: { limit: 1, queueLimit: 5 } },
  ]) {
    const world = policyWorld(config);
    const all = [1, 2].map(() => watch(world.policy.run(world.work)));
    await world.runtime.advance(100);
    assert.equal(world.policy.stats.hedges, 0);
    assert.ok(all.every(({ done }) => !done));
  }
  const open = policyWorld({ hedge: { delayMs: 10, budget: always }, breaker: { consecutive: 1, halfOpenPermits: 3 } });
  await open.policy.try(async () => {
    throw errors.DOWN({ who: 'it' });
  });
  await open.runtime.advance(7000);
  void open.policy.run(open.work);
  await open.runtime.advance(100);
  assert.equal(open.jobs.length, 1);
});

test('the delay is the percentile of what calls took, once enough is known', async () => {
  const world = policyWorld({ hedge: { minSamples: 20, budget: always } });
  const call = async (tookMs: number): Promise<void> => {
    const run = world.policy.run(world.work);
    await world.runtime.advance(tookMs);
    for (const job of world.jobs.splice(0)) job.resolve(1);
    await run;
  };
  await call(500);
  assert.equal(world.policy.stats.hedges, 0, 'nothing is known yet');
  for (let n = 0; n < 19; n++) await call(100);
  for (let n = 0; n < 100; n++) await call(100);
  const before = world.policy.stats.hedges;
  void world.policy.run(world.work);
  await world.runtime.advance(90);
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(40);
  assert.equal(world.jobs.length, 2);
  assert.equal(world.policy.stats.hedges, before + 1);
});

test('the caller’s leave ends all attempts, and no other begins', async () => {
  const world = policyWorld({ hedge: { delayMs: 20, maxAttempts: 3, budget: always } });
  const controller = new AbortController();
  const seen = watch(world.policy.run(world.work, { signal: controller.signal }));
  await world.runtime.advance(25);
  assert.equal(world.jobs.length, 2);
  controller.abort('enough');
  await world.runtime.advance(500);
  assert.equal(seen.error, 'enough');
  assert.equal(world.jobs.length, 2);
  assert.ok(world.jobs.every(({ signal }) => signal.reason === 'enough'));
});

test('when a round of attempts has failed the retry begins another round', async () => {
  const world = policyWorld({
    retry: { maxAttempts: 2, backoff: { jitter: 'none', baseMs: 100 } },
    hedge: { delayMs: 0, budget: always },
  });
  const seen = watch(world.policy.run(world.work));
  for (const job of world.jobs.splice(0)) job.reject(errors.DOWN({ who: 'it' }));
  await world.runtime.advance(150);
  assert.equal(world.jobs.length, 2);
  world.jobs[0]?.resolve('round two');
  await world.runtime.settle();
  assert.equal(seen.value, 'round two');
});

test('what is refused here is not asked for once more', async () => {
  const world = policyWorld({ hedge: { delayMs: -1, budget: always }, bulkhead: { limit: 1 } });
  void world.policy.run(world.work);
  const result = await world.policy.try(world.work);
  assert.deepEqual([result.ok, result.attempts], [false, 1]);
});

test('a call that must not be repeated gets no company', async () => {
  const world = policyWorld({ hedge: { delayMs: 0, budget: always } });
  void world.policy.run(world.work, { idempotent: false });
  await world.runtime.advance(100);
  assert.equal(world.jobs.length, 1);
});
