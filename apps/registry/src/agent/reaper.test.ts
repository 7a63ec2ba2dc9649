import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentWorld } from '../../test/agent-world.ts';
import { createReaper } from './reaper.ts';

async function setUp(options: { readonly deregisterAfterMs?: number } = {}) {
  const world = await agentWorld();
  const reaper = createReaper(world.world, world.agent, {
    ...{ deregisterAfterMs: 60_000, everyMs: 30_000, guardShare: 0.85, guardFrom: 5, onRemoved: () => {}, ...options },
  });
  reaper.start();
  const ids = () => world.agent.services().map(({ id }) => id);
  const name = (at: number) => `i${at}`;
  const fill = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      await world.register(name(at), { TTL: '15s' });
      await world.push(`service:${name(at)}`, 'passing', '');
    }
  };
  /** Lets time go by while those from `from` to `to` send heartbeats. */
  const beat = async (forMs: number, from: number, to: number): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += 5000) {
      for (let at = from; at < to; at += 1) await world.push(`service:${name(at)}`, 'passing', '');
      await world.runtime.advance(5000);
    }
  };
  return { ...world, reaper, ids, fill, beat };
}

test('an instance that fell silent is critical after its TTL and gone after a minute more; the living stay', async () => {
  const { ids, fill, beat, catalog } = await setUp();
  await fill(10);
  await beat(20_000, 1, 10);
  assert.equal(catalog.check('node', 'service:i0')?.status, 'critical');
  assert.equal(ids().length, 10);
  await beat(90_000, 1, 10);
  assert.equal(ids().length, 9);
  assert.equal(ids().includes('i0'), false);
});

test('an instance that says it is not well is alive: it is not removed, unless its check asks for it', async () => {
  const { ids, register, push, runtime } = await setUp();
  await register('ill', { TTL: '15s' });
  await register('hard', { TTL: '15s', DeregisterCriticalServiceAfter: '1m' });
  for (let ms = 0; ms < 180_000; ms += 5000) {
    for (const id of ids()) await push(`service:${id}`, 'critical', 'no database');
    await runtime.advance(5000);
  }
  assert.deepEqual(ids(), ['ill']);
});

test('without a time to removal the dead stay, as in Consul', async () => {
  const { ids, fill, runtime } = await setUp({ deregisterAfterMs: 0 });
  await fill(2);
  await runtime.advance(600_000);
  assert.equal(ids().length, 2);
});

test('when many fall silent at once none is removed, until they are back', async () => {
  const { ids, fill, beat, reaper } = await setUp();
  await fill(20);
  await beat(120_000, 8, 20);
  assert.equal(ids().length, 20);
  assert.equal(reaper.guard.active, true);
  assert.equal(reaper.guard.times, 1);
  assert.equal(reaper.guard.suspects.length, 8);
  await beat(60_000, 0, 20);
  assert.equal(reaper.guard.active, false);
  assert.equal(ids().length, 20);
});

test('an operator can have the suspects removed', async () => {
  const { ids, fill, beat, reaper, commits } = await setUp();
  await fill(20);
  await beat(120_000, 8, 20);
  const removed = reaper.forceRemove();
  await commits.flush();
  assert.equal((await removed).length, 8);
  assert.equal(ids().length, 12);
  assert.equal(reaper.guard.active, false);
});

test('few that die at once are removed whatever their share', async () => {
  const { ids, fill, runtime } = await setUp();
  await fill(4);
  await runtime.advance(120_000);
  assert.equal(ids().length, 0);
});
