import { test } from 'node:test';
import { runSeeds } from '../test/run-seeds.ts';

test('whatever fails, no promise of the engine is broken: seeds up to 10,000', async () => {
  await runSeeds(5_001, 10_000);
});
