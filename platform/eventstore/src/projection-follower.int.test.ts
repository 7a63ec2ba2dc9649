import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { type Amount, addUp, projectionWorld, until } from '../test/world.ts';

const errors = defineErrors('TEST', {
  POISON: { code: 'failed_precondition', text: 'this amount is not good' },
  LATER: { code: 'unavailable', text: 'not now', retry: 'later' },
});

const isPoison = (data: unknown) => (data as Amount).amount === 13;

test('what fails between apply and commit is undone and applied again, once in all', async (t) => {
  const world = await projectionWorld(t);
  let crashes = 0;
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        await addUp(tx, events, table);
        if (crashes < 3) {
          crashes++;
          throw errors.LATER();
        }
      },
    },
  });
  for (let n = 1; n <= 10; n++) await world.add('a', n);
  const { position } = await world.add('b', 1);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  assert.equal(crashes, 3);
  assert.deepEqual(await world.totals(), { a: 55, b: 1 });
});

test('a connection that is cut in the middle of a batch repeats it, and a cut commit is not repeated', async (t) => {
  const world = await projectionWorld(t);
  let cuts = 0;
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        await addUp(tx, events, table);
        if (cuts++ < 2) await tx.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
      },
    },
  });
  for (let n = 1; n <= 5; n++) await world.add('a', n);
  const { position } = await world.add('a', 100);
  await projections.waitFor(world.ctx, 'totals', position, 10_000);
  assert.ok(cuts >= 3);
  assert.deepEqual(await world.totals(), { a: 115 });
});

test('an event that cannot be applied parks the rest of its stream, in order, and nothing else', async (t) => {
  const world = await projectionWorld(t);
  let healed = false;
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (!healed && events.some(({ data }) => isPoison(data))) throw errors.POISON();
        await addUp(tx, events, table);
      },
    },
  });
  await world.add('bad', 1);
  for (let n = 0; n < 10; n++) await world.add(`good${n}`, n);
  await world.add('bad', 13);
  await world.add('bad', 2, 3);
  for (let n = 0; n < 10; n++) await world.add(`good${n}`, 100);
  const { position } = await world.add('bad', 4);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const shown = await world.totals();
  assert.equal(shown.bad, 1);
  for (let n = 0; n < 10; n++) assert.equal(shown[`good${n}`], n + 100);
  const parked = await projections.parked(world.ctx, 'totals');
  assert.deepEqual(
    parked.map(({ stream, version, error }) => [stream, version, error?.split(':')[0]]),
    [
      ['count-bad', 2, 'TEST_POISON'],
      ['count-bad', 3, undefined],
      ['count-bad', 4, undefined],
      ['count-bad', 5, undefined],
    ],
  );
  assert.partialDeepStrictEqual(await projections.list(world.ctx), [{ parked: 4, state: 'LIVE' }]);

  const why = { actor: 'ann', reason: 'fixed' };
  const again = await projections.redrive(world.ctx, 'totals', why);
  assert.deepEqual([again.events, again.failed.length], [0, 1]);
  assert.equal((await world.totals()).bad, 1);
  healed = true;
  assert.deepEqual(await projections.redrive(world.ctx, 'totals', why), { events: 4, streams: 1, failed: [] });
  const after = await world.add('bad', 5);
  await projections.waitFor(world.ctx, 'totals', after.position, 5000);
  assert.deepEqual(await world.totals(), await world.folded());
  const [row] = await world.rows<{ versions: number[] }>("SELECT versions FROM total WHERE stream = 'bad'");
  assert.deepEqual(row?.versions, [1, 2, 3, 4, 5, 6]);
});

test('events that come while their stream is redriven are neither lost nor stuck nor out of order', async (t) => {
  const world = await projectionWorld(t);
  let healed = false;
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (!healed && events.some(({ data }) => isPoison(data))) throw errors.POISON();
        await addUp(tx, events, table);
      },
    },
  });
  const first = await world.add('bad', 13);
  await projections.waitFor(world.ctx, 'totals', first.position, 5000);
  healed = true;
  const why = { actor: 'ann', reason: 'fixed' };
  const adding = (async () => {
    for (let n = 1; n <= 60; n++) await world.add('bad', n);
  })();
  for (let n = 0; n < 10; n++) await projections.redrive(world.ctx, 'totals', why);
  await adding;
  const { position } = await world.add('bad', 1000);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  await projections.redrive(world.ctx, 'totals', why);
  assert.deepEqual(await projections.parked(world.ctx, 'totals'), []);
  const [row] = await world.rows<{ versions: number[] }>("SELECT versions FROM total WHERE stream = 'bad'");
  assert.deepEqual(
    row?.versions,
    Array.from({ length: 62 }, (_, n) => n + 1),
  );
});

test('the first parked event of a stream can be given up, and then those behind it are redriven', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (events.some(({ data }) => isPoison(data))) throw errors.POISON();
        await addUp(tx, events, table);
      },
    },
  });
  await world.add('bad', 1, 13, 2);
  const { position } = await world.add('bad', 3);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const why = { actor: 'ann', reason: 'counted by hand' };
  assert.equal(await projections.discard(world.ctx, 'totals', { stream: 'count-bad', ...why }), 2);
  assert.deepEqual(await projections.redrive(world.ctx, 'totals', why), { events: 2, streams: 1, failed: [] });
  assert.deepEqual(await world.totals(), { bad: 6 });
  assert.equal(await projections.discard(world.ctx, 'totals', { stream: 'count-bad', ...why }), undefined);
});

test('when everything fails nothing more is parked: the projection waits, says so, and goes on when it can', async (t) => {
  const world = await projectionWorld(t);
  let broken = true;
  const projections = await world.start({
    options: { maxParkedStreams: 3 },
    projection: {
      apply: async (tx, events, table) => {
        if (broken) throw new TypeError('secret of ann@example.org');
        await addUp(tx, events, table);
      },
    },
  });
  for (let n = 0; n < 8; n++) await world.add(`s${n}`, 1);
  await until(world, 'a failed projection', async () => (await projections.list(world.ctx))[0]?.state === 'FAILED');
  const [status] = await projections.list(world.ctx);
  assert.match(status?.error ?? '', /^PROJECTION_TOO_MANY_PARKED.*TypeError at projection-follower\.int\.test\.ts:\d+/);
  assert.doesNotMatch(status?.error ?? '', /ann@/);
  assert.deepEqual([status?.parked, status?.lagEvents], [3, 5]);
  assert.ok((status?.lagSeconds ?? 0) > 0);
  broken = false;
  await until(world, 'a live projection', async () => (await projections.list(world.ctx))[0]?.state === 'LIVE');
  await projections.redrive(world.ctx, 'totals', { actor: 'ann', reason: 'fixed' });
  await until(world, 'all', async () => Object.keys(await world.totals()).length === 8);
  assert.deepEqual(await world.totals(), await world.folded());
});

test('an apply that hangs is left behind, reported, and what it commits late is not applied twice', async (t) => {
  const world = await projectionWorld(t);
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const projections = await world.start({
    options: { batchMs: 300 },
    projection: {
      apply: async (tx, events, table) => {
        await addUp(tx, events, table);
        if (++calls === 1) await gate.promise;
      },
    },
  });
  const { position } = await world.add('a', 7);
  await until(
    world,
    'a second try',
    async () => calls > 1 || (await projections.list(world.ctx))[0]?.state === 'FAILED',
  );
  gate.resolve();
  await projections.waitFor(world.ctx, 'totals', position, 10_000);
  assert.deepEqual(await world.totals(), { a: 7 });
});

test('an old transaction that is still open holds a projection up, and nothing is left out behind it', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start();
  const opened = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = world.db.tx(world.ctx, async (tx) => {
    await world.store.append(tx, {
      stream: 'count-slow',
      expected: 'any',
      events: [{ type: 'Added', data: { amount: 1 } }],
    });
    opened.resolve();
    await gate.promise;
  });
  await opened.promise;
  const { position } = await world.add('fast', 1);
  await assert.rejects(projections.waitFor(world.ctx, 'totals', position, 100), { reason: 'PROJECTION_BEHIND' });
  assert.equal((await projections.list(world.ctx))[0]?.lagEvents, 1);
  gate.resolve();
  await slow;
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  assert.deepEqual(await world.totals(), { fast: 1, slow: 1 });
});

test('an event that comes while the last one parked is redriven does not stay parked behind nobody', async (t) => {
  const world = await projectionWorld(t);
  let healed = false;
  const inside = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (!healed && events.some(({ data }) => isPoison(data))) throw errors.POISON();
        if (events.some(({ stream }) => stream === 'count-good')) {
          inside.resolve();
          await gate.promise;
        }
        await addUp(tx, events, table);
      },
    },
  });
  const first = await world.add('bad', 13);
  await projections.waitFor(world.ctx, 'totals', first.position, 5000);
  healed = true;
  const added = [{ type: 'Added', data: { amount: 1 } }];
  const results = await world.db.tx(world.ctx, (tx) =>
    world.store.appendAll(tx, [
      { stream: 'count-good', expected: 'any', events: added },
      { stream: 'count-bad', expected: 'any', events: added },
    ]),
  );
  // The follower has seen that the stream is parked, and has not parked the second event yet.
  await inside.promise;
  const redriving = projections.redrive(world.ctx, 'totals', { actor: 'ann', reason: 'fixed' });
  await world.runtime.timers.sleep(200);
  gate.resolve();
  await redriving;
  for (const { position } of results) await projections.waitFor(world.ctx, 'totals', position, 5000);
  assert.deepEqual(await projections.parked(world.ctx, 'totals'), []);
  assert.deepEqual(await world.totals(), { bad: 14, good: 1 });
});
