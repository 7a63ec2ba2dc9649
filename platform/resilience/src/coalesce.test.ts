import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyWorld, watch } from '../test/world.ts';

test('K1 who asks for the same at the same time shares one call; another key has its own', async () => {
  const world = policyWorld({ coalesce: {} });
  const all = ['a', 'a', 'a', 'b'].map((key) => world.policy.run(world.work, { key }));
  assert.equal(world.jobs.length, 2);
  world.jobs[0]?.resolve('A');
  world.jobs[1]?.resolve('B');
  assert.deepEqual(await Promise.all(all), ['A', 'A', 'A', 'B']);
  assert.equal(world.policy.stats.coalesced, 2);
});

test('K2 a failure is shared by those who wait, and kept for nobody', async () => {
  const world = policyWorld({ coalesce: { ttlMs: 1000 } });
  const both = [1, 2].map(() => watch(world.policy.run(world.work, { key: 'a' })));
  world.jobs[0]?.reject(new Error('down'));
  await world.runtime.settle();
  assert.ok(both.every(({ error }) => (error as Error).message === 'down'));
  void world.policy.run(world.work, { key: 'a' });
  assert.equal(world.jobs.length, 2);
});

test('K3 one that gives up leaves the call to the others; the last one takes it along', async () => {
  const world = policyWorld({ coalesce: {} });
  const controllers = [new AbortController(), new AbortController()];
  const seen = controllers.map(({ signal }) => watch(world.policy.run(world.work, { key: 'a', signal })));
  controllers[0]?.abort('first');
  await world.runtime.settle();
  assert.deepEqual([seen[0]?.error, seen[1]?.done], ['first', false]);
  assert.equal(world.jobs[0]?.signal.aborted, false);
  controllers[1]?.abort('second');
  await world.runtime.settle();
  assert.equal(world.jobs[0]?.signal.aborted, true);
  void world.policy.run(world.work, { key: 'a' });
  assert.equal(world.jobs.length, 2, 'who asks next is not given what was called off');
});

test('an answer is kept for its time, then given once more while one call fetches the next', async () => {
  const world = policyWorld({ coalesce: { ttlMs: 1000, staleMs: 5000, jitter: 0 } });
  const ask = () => world.policy.run(world.work, { key: 'a' });
  const first = ask();
  world.jobs[0]?.resolve(1);
  await first;
  assert.equal(await ask(), 1);
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(1500);
  assert.equal(await ask(), 1);
  assert.equal(await ask(), 1);
  assert.equal(world.jobs.length, 2, 'one call fetches for all');
  world.jobs[1]?.resolve(2);
  await world.runtime.settle();
  assert.equal(await ask(), 2);
  await world.runtime.advance(7000);
  void ask();
  assert.equal(world.jobs.length, 3);
});

test('keys are bounded: the one unused for longest goes first', async () => {
  const world = policyWorld({ coalesce: { ttlMs: 10_000, maxKeys: 2 } });
  const ask = async (key: string): Promise<void> => {
    const before = world.jobs.length;
    const run = world.policy.run(world.work, { key });
    if (world.jobs.length > before) world.jobs.at(-1)?.resolve(key);
    await run;
  };
  for (const key of ['a', 'b', 'a', 'c']) await ask(key);
  assert.equal(world.jobs.length, 3);
  await ask('a');
  assert.equal(world.jobs.length, 3);
  await ask('b');
  assert.equal(world.jobs.length, 4);
});

test('lives of answers differ, so that they do not all end together', async () => {
  const world = policyWorld({ coalesce: { ttlMs: 1000, jitter: 0.5 } });
  for (let n = 0; n < 50; n++) await world.policy.run(async () => n, { key: String(n) });
  await world.runtime.advance(750);
  let fetched = 0;
  for (let n = 0; n < 50; n++) await world.policy.run(async () => fetched++, { key: String(n) });
  assert.ok(fetched > 10 && fetched < 40, String(fetched));
});
