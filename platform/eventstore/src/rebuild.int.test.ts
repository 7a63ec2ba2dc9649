import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { type Amount, addUp, type ProjectionWorld, projectionWorld, slowly, until } from '../test/world.ts';
import type { RecordedEvent } from './index.ts';

const errors = defineErrors('TEST', { POISON: { code: 'failed_precondition', text: 'this amount is not good' } });
const why = { actor: 'ann', reason: 'totals were counted wrongly' };
const WORKER = new URL('../test/following-worker.ts', import.meta.url).pathname;

const tablesOf = async (world: ProjectionWorld): Promise<string[]> =>
  (
    await world.rows<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relname LIKE 'total%' AND relkind = 'r' ORDER BY 1",
    )
  ).map(({ name }) => name);

/** Every table shows each stream's versions in order, without gap and once. */
const assertWhole = async (world: ProjectionWorld): Promise<void> => {
  assert.deepEqual(await world.totals(), await world.folded());
  const rows = await world.rows<{ events: number; versions: number[] }>('SELECT events, versions FROM total');
  for (const { events, versions } of rows)
    assert.deepEqual(
      versions,
      Array.from({ length: events }, (_, n) => n + 1),
    );
};

for (const partitions of [1, 3]) {
  test(`tables that are rebuilt while others write are the same, and readers never go back (${partitions} partitions)`, async (t) => {
    const world = await projectionWorld(t);
    const projections = await world.start({ projection: { partitions } });
    for (let n = 0; n < 200; n++) await world.add(`s${n % 7}`, n);
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) {
        await world.add(`s${n % 9}`, n);
        await world.runtime.timers.sleep(4);
      }
    })();
    const reader = (async () => {
      for (let before = 0; writing; ) {
        const [row] = await world.rows<{ events: bigint }>(
          'SELECT coalesce(sum(events), 0)::bigint AS events FROM total',
        );
        assert.ok(Number(row?.events) >= before, `${row?.events} after ${before}`);
        before = Number(row?.events);
        await world.runtime.timers.sleep(2);
      }
    })();
    const seen: [number, number][] = [];
    for (let turn = 0; turn < 3; turn++) {
      await projections.rebuild(world.ctx, 'totals', { ...why, onProgress: (done, total) => seen.push([done, total]) });
    }
    writing = false;
    await Promise.all([writer, reader]);
    const { position } = await world.add('end', 1);
    await projections.waitFor(world.ctx, 'totals', position, 5000);
    await assertWhole(world);
    assert.partialDeepStrictEqual(await projections.list(world.ctx), [
      { generation: 4, state: 'LIVE', rebuild: undefined },
    ]);
    assert.deepEqual(await tablesOf(world), ['total']);
    assert.ok(seen.length > 0);
    for (const [done, total] of seen) assert.ok(done <= total && total >= 200, `${done} of ${total}`);
  });
}

test('while tables are rebuilt the old ones follow, and the progress tells how far it is', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({
    options: { batchSize: 5 },
    projection: {
      apply: async (tx, events, table) => {
        await addUp(tx, events, table);
        if (table('total') !== 'total') await world.runtime.timers.sleep(30);
      },
    },
  });
  for (let n = 0; n < 300; n++) await world.add(`s${n % 5}`, n);
  const rebuilt = projections.rebuild(world.ctx, 'totals', why);
  await until(world, 'a part', async () => ((await projections.list(world.ctx))[0]?.rebuild?.done ?? 0) >= 20);
  const { position } = await world.add('s1', 1000);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const [status] = await projections.list(world.ctx);
  assert.partialDeepStrictEqual(status, {
    state: 'REBUILDING',
    generation: 1,
    lagEvents: 0,
    rebuild: { generation: 2, total: 301, actor: 'ann' },
  });
  assert.ok((status?.rebuild?.secondsLeft ?? -1) > 0 && (status?.rebuild?.perSecond ?? 0) > 0);
  await rebuilt;
  await assertWhole(world);
});

test('a rebuild ends whatever the number of events: none, or just as many as are read at once', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({ options: { batchSize: 5 } });
  using ctx = world.ctx.with({ timeoutMs: 10_000 });
  await projections.rebuild(ctx, 'totals', why);
  for (let n = 0; n < 10; n++) await world.add('a', n);
  await projections.rebuild(ctx, 'totals', why);
  assert.deepEqual(await world.totals(), { a: 45 });
});

test('a rebuild whose apply fails ends, says why, and leaves the tables in use as they were', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        const isBad = ({ data }: RecordedEvent) => (data as Amount).amount === 13;
        if (table('total') !== 'total' && events.some(isBad)) throw errors.POISON();
        await addUp(tx, events, table);
      },
    },
  });
  await world.add('a', 1, 13, 2);
  const { position } = await world.add('b', 3);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const [before] = await world.rows("SELECT 'total'::regclass::oid AS oid");
  await assert.rejects(projections.rebuild(world.ctx, 'totals', why), {
    reason: 'PROJECTION_REBUILD_FAILED',
    message: /TEST_POISON/,
  });
  assert.deepEqual(await world.rows("SELECT 'total'::regclass::oid AS oid"), [before]);
  assert.deepEqual(await tablesOf(world), ['total']);
  assert.deepEqual(await world.totals(), { a: 16, b: 3 });
  const after = await world.add('b', 4);
  await projections.waitFor(world.ctx, 'totals', after.position, 5000);
  assert.partialDeepStrictEqual(await projections.list(world.ctx), [{ state: 'LIVE', generation: 1 }]);
  assert.match((await projections.list(world.ctx))[0]?.error ?? '', /^the last rebuild failed: TEST_POISON/);
});

test('an event that the live tables have parked does not end a rebuild: it is parked again', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (events.some(({ data }) => (data as Amount).amount === 13)) throw errors.POISON();
        await addUp(tx, events, table);
      },
    },
  });
  await world.add('a', 1, 13, 2);
  const { position } = await world.add('b', 3);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  await projections.rebuild(world.ctx, 'totals', why);
  assert.deepEqual(await world.totals(), { a: 1, b: 3 });
  const parked = await projections.parked(world.ctx, 'totals');
  assert.deepEqual(
    parked.map(({ version }) => version),
    [2, 3],
  );
});

test('SQL that cannot create the tables fails the rebuild before anything happened', async (t) => {
  const world = await projectionWorld(t);
  let create = 'CREATE TABLE total (stream text PRIMARY KEY, total bigint, events int, versions int[])';
  const projections = await world.start({ projection: { create: () => create } });
  create = 'CREATE TABLE total__next (nonsense nonsense)';
  await assert.rejects(projections.rebuild(world.ctx, 'totals', why), { reason: 'STORE_QUERY_FAILED' });
  assert.partialDeepStrictEqual(await projections.list(world.ctx), [
    { state: 'LIVE', generation: 1, error: undefined },
  ]);
});

test('a newer version of a definition makes its tables anew at the start; an older one leaves them alone', async (t) => {
  const world = await projectionWorld(t);
  const old = await world.start();
  await world.add('a', 1, 2);
  const { position } = await world.add('b', 3);
  await old.waitFor(world.ctx, 'totals', position, 5000);
  const doubled = {
    version: 2,
    apply: async (...[tx, events, table]: Parameters<typeof addUp>) =>
      addUp(
        tx,
        events.map((event) => ({ ...event, data: { amount: (event.data as Amount).amount * 2 } })),
        table,
      ),
  };
  const next = await world.start({ projection: doubled, elsewhere: true });
  await until(world, 'version 2', async () => (await next.list(world.ctx))[0]?.version === 2);
  assert.deepEqual(await world.totals(), { a: 6, b: 6 });
  const after = await world.add('a', 10);
  await next.waitFor(world.ctx, 'totals', after.position, 5000);
  assert.deepEqual(await world.totals(), { a: 26, b: 6 });
  await assert.rejects(old.rebuild(world.ctx, 'totals', why), { reason: 'PROJECTION_NEWER' });
});

test('a rebuild goes on in another process after a kill -9, where it was', async (t) => {
  const world = await projectionWorld(t);
  await world.add('first', 1);
  const outside = await world.start({ projection: { partitions: 4 } });
  await outside.stop();
  for (let n = 0; n < 100; n++) await world.add(`s${n % 8}`, n, n, n);
  const worker: ChildProcess = spawn(process.execPath, [WORKER, world.url, 'slowly'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(worker.stdout as NonNullable<typeof worker.stdout>, 'data');
  void outside.rebuild(world.ctx, 'totals', why).catch(() => undefined);
  const done = async () => (await outside.list(world.ctx))[0]?.rebuild?.done ?? 0;
  await until(world, 'a part of it', async () => (await done()) > 50);
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  const before = await done();
  assert.ok(before < 301, String(before));
  const heir = await world.start({ projection: { partitions: 4, apply: slowly(world.runtime, 1) }, elsewhere: true });
  await heir.rebuild(world.ctx, 'totals', why);
  assert.partialDeepStrictEqual(await heir.list(world.ctx), [{ generation: 2, state: 'LIVE' }]);
  await assertWhole(world);
  const { position } = await world.add('first', 1);
  await heir.waitFor(world.ctx, 'totals', position, 5000);
});

test('readers that hold a table keep a switch waiting for a moment, and then it is tried again', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({ options: { lockMs: 50 } });
  const { position } = await world.add('a', 1);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  const reading = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const reader = world.db.tx(world.ctx, async (tx) => {
    await tx.query('SELECT * FROM total');
    reading.resolve();
    await gate.promise;
  });
  await reading.promise;
  const rebuilt = projections.rebuild(world.ctx, 'totals', why);
  await until(world, 'new tables', async () => (await projections.list(world.ctx))[0]?.rebuild?.done === 1);
  await world.runtime.timers.sleep(1500);
  assert.equal((await projections.list(world.ctx))[0]?.generation, 1);
  assert.deepEqual(await world.totals(), { a: 1 });
  gate.resolve();
  await reader;
  await rebuilt;
  await assertWhole(world);
});

test('an inline projection is rebuilt while appends write it, and misses none', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({ projection: { mode: 'inline' } });
  const { db, ctx, store } = world;
  const append = (name: string, amount: number) =>
    db.tx(ctx, async (tx) => {
      const stream = `count-${name}`;
      const { version, position } = await store.append(tx, {
        stream,
        expected: 'any',
        events: [{ type: 'Added', data: { amount } }],
      });
      const event = { stream, version, position, type: 'Added', data: { amount } } as RecordedEvent;
      await projections.applyInline(tx, 'totals', [event]);
    });
  for (let n = 0; n < 50; n++) await append(`s${n % 5}`, n);
  let writing = true;
  const writers = [0, 1, 2].map(async (writer) => {
    for (let n = 0; writing; n++) {
      await append(`s${writer}-${n % 4}`, n);
      await world.runtime.timers.sleep(10);
    }
  });
  for (let turn = 0; turn < 3; turn++) await projections.rebuild(ctx, 'totals', why);
  writing = false;
  await Promise.all(writers);
  await assertWhole(world);
  assert.partialDeepStrictEqual(await projections.list(ctx), [{ kind: 'inline', generation: 4, state: 'LIVE' }]);
});

test('an inline projection is rebuilt with what is committed, also while an older transaction is open', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start({ projection: { mode: 'inline' } });
  const { db, ctx, store } = world;
  const append = (name: string, amount: number) =>
    db.tx(ctx, async (tx) => {
      const stream = `count-${name}`;
      const events = [{ type: 'Added', data: { amount } }];
      const { version, position } = await store.append(tx, { stream, expected: 'any', events });
      const event = { stream, version, position, type: 'Added', data: { amount } } as RecordedEvent;
      await projections.applyInline(tx, 'totals', [event]);
    });
  await append('a', 1);
  const opened = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const old = db.tx(ctx, async (tx) => {
    await tx.query('SELECT pg_current_xact_id()');
    opened.resolve();
    await gate.promise;
  });
  await opened.promise;
  await append('a', 2);
  await append('b', 3);
  await projections.rebuild(ctx, 'totals', why);
  assert.deepEqual(await world.totals(), { a: 3, b: 3 });
  gate.resolve();
  await old;
});
