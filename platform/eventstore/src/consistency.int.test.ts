import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addUp, projectionWorld } from '../test/world.ts';
import { encodePosition } from './index.ts';

test('who waits for what was just written sees it, soon, also in another process than the one that follows', async (t) => {
  const world = await projectionWorld(t);
  const follows = await world.start();
  // It has the only partition before the other comes.
  await follows.waitFor(world.ctx, 'totals', (await world.add('b', 1)).position, 5000);
  const reads = await world.start({ elsewhere: true });
  const took: Record<string, number[]> = { here: [], there: [] };
  let sum = 0;
  for (let n = 1; n <= 20; n++) {
    for (const [where, projections] of [
      ['here', follows],
      ['there', reads],
    ] as const) {
      const { position } = await world.add('a', n);
      sum += n;
      const beganMs = world.runtime.clock.monotonicMs();
      await projections.waitFor(world.ctx, 'totals', encodePosition(position), 5000);
      took[where]?.push(world.runtime.clock.monotonicMs() - beganMs);
      assert.equal((await world.totals()).a, sum);
    }
  }
  for (const [where, times] of Object.entries(took)) {
    const median = times.toSorted((a, b) => a - b)[10] as number;
    t.diagnostic(`${where}: ${median.toFixed(1)} ms`);
    assert.ok(median < 200, `${where}: ${median}`);
  }
});

test('what is behind is said after the time that was given, and nobody waits longer than the call', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({
    projection: { apply: () => Promise.reject(new TypeError('never')) },
    options: { attempts: 99 },
  });
  const { position } = await world.add('a', 1);
  const beganMs = world.runtime.clock.monotonicMs();
  await assert.rejects(projections.waitFor(world.ctx, 'totals', position, 60), {
    reason: 'PROJECTION_BEHIND',
    code: 'unavailable',
  });
  using short = world.ctx.with({ timeoutMs: 60 });
  await assert.rejects(projections.waitFor(short, 'totals', position, 60_000), { reason: 'PROJECTION_BEHIND' });
  const gone = new AbortController();
  using left = world.ctx.with({ signal: gone.signal });
  const waiting = projections.waitFor(left, 'totals', position, 60_000);
  gone.abort();
  await assert.rejects(waiting, { reason: 'SOUK_CANCELED' });
  assert.ok(world.runtime.clock.monotonicMs() - beganMs < 1000);
  await assert.rejects(projections.waitFor(world.ctx, 'totals', 'nonsense', 60), {
    reason: 'EVENTSTORE_POSITION_INVALID',
  });
  await assert.rejects(projections.waitFor(world.ctx, 'nothing', position, 60), { reason: 'PROJECTION_UNKNOWN' });
});

test('a position that the store never gave out does not make it busy', async (t) => {
  const world = await projectionWorld(t);
  let statements = 0;
  const projections = await world.start();
  const { position } = await world.add('a', 1);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const read = world.store.readAll;
  Object.assign(world.store, {
    readAll: (...given: Parameters<typeof read>) => {
      statements++;
      return read(...given);
    },
  });
  const forged = { ...position, xid: position.xid + 1_000_000n };
  await Promise.all(
    Array.from({ length: 50 }, () =>
      assert.rejects(projections.waitFor(world.ctx, 'totals', forged, 400), { reason: 'PROJECTION_BEHIND' }),
    ),
  );
  assert.ok(statements < 40, String(statements));
  statements = 0;
  await world.runtime.timers.sleep(1500);
  assert.ok(statements <= 3, `${statements} reads after it was over`);
});

test('an idle process asks the database fewer than three times a second', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start();
  const { position } = await world.add('a', 1);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  await world.runtime.timers.sleep(1500);
  let statements = 0;
  const { db } = world;
  const at = db.at.bind(db);
  Object.assign(db, {
    at: (...given: Parameters<typeof at>) => {
      statements++;
      return at(...given);
    },
  });
  await world.runtime.timers.sleep(6000);
  t.diagnostic(`${(statements / 6).toFixed(1)} statements per second`);
  assert.ok(statements / 6 < 3, String(statements));
  Object.assign(db, { at });
});

test('a projection that another process keeps is waited for without asking again and again for each', async (t) => {
  const world = await projectionWorld(t);
  const gate = Promise.withResolvers<void>();
  await world.start({
    projection: {
      apply: async (...given) => {
        await gate.promise;
        await addUp(...given);
      },
    },
  });
  const reads = await world.start({ elsewhere: true });
  const { position } = await world.add('a', 1);
  const waiting = Array.from({ length: 100 }, () => reads.waitFor(world.ctx, 'totals', position, 8000));
  await world.runtime.timers.sleep(500);
  gate.resolve();
  await Promise.all(waiting);
  const looks = world.asked.get('live-positions') ?? 0;
  assert.ok(looks >= 1 && looks < 15, `${looks} looks`);
});
