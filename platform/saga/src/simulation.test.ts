import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { runSeeds, twice } from '../test/run-seeds.ts';
import { live } from '../test/simulation.ts';

test('whatever fails, no promise of the engine is broken: the first 5,000 seeds', async (t) => {
  const { lives, ends } = await runSeeds(1, 5_000);
  t.diagnostic(`${lives} seeds: ${[...ends].map(([status, count]) => `${count} ${status}`).join(', ')}`);
  if (process.env.SOUK_SEED !== undefined) return;
  for (const status of ['COMPLETED', 'COMPENSATED', 'TERMINATED', 'STUCK'])
    assert.ok((ends.get(status) ?? 0) > 50, `too few sagas end ${status}: the seeds miss something`);
});

test('a seed repeats itself exactly', async () => {
  for (const seed of [1, 7, 77, 777]) {
    const [first, second] = await twice(seed);
    assert.deepEqual(first, second);
  }
});

test('an operator who acts on a saga whose worker was lost leaves nothing behind', async () => {
  for (let seed = 2_001; seed <= 2_200; seed++) await live(seed, { actOnLost: true });
});

test('a step that kills its process every time is STUCK also beside a child', async () => {
  await live(5_865, { killBeside: true });
});
