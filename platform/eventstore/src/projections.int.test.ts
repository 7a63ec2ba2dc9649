import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectionWorld } from '../test/world.ts';

test('a projection shows what was appended, once', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start();
  let last = await world.add('a', 1);
  for (const amount of [2, 3]) last = await world.add('a', amount);
  await world.add('b', 10);
  last = await world.add('b', 20);
  await projections.waitFor(world.ctx, 'totals', last.position, 5000);
  assert.deepEqual(await world.totals(), { a: 6, b: 30 });
  const [status] = await projections.list(world.ctx);
  assert.partialDeepStrictEqual(status, { name: 'totals', kind: 'projection', state: 'LIVE', lagEvents: 0, parked: 0 });
});

test('a rebuild gives the same tables', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start();
  for (let n = 1; n <= 20; n++) await world.add(`a${n % 3}`, n);
  const { position } = await world.add('b', 5);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const before = await world.totals();
  await projections.rebuild(world.ctx, 'totals', { actor: 'ann', reason: 'to see' });
  assert.deepEqual(await world.totals(), before);
  const after = await world.add('b', 1);
  await projections.waitFor(world.ctx, 'totals', after.position, 5000);
  assert.deepEqual(await world.totals(), { ...before, b: 6 });
  assert.partialDeepStrictEqual(await projections.list(world.ctx), [{ generation: 2, state: 'LIVE' }]);
});
