import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, type ExpectedVersion, eventStoreMigrations, type NewEvent } from './index.ts';

async function world() {
  const on = await testDatabase('eventstore', [eventStoreMigrations]);
  const store = createEventStore({ runtime: on.runtime });
  const append = (stream: string, expected: ExpectedVersion, count = 1) =>
    on.db.tx(on.ctx, async (tx) => {
      const events = Array.from({ length: count }, (_, n) => ({ type: 'Happened', data: { n } }));
      return (await store.append(tx, { stream, expected, events })).version;
    });
  return { ...on, store, append };
}

const isWrongVersion = (actual: number) => (error: unknown) =>
  isSoukError(error) && error.reason === 'EVENTSTORE_WRONG_VERSION' && error.details.actual === String(actual);

test('what is appended is read back, whole and in order', async () => {
  const { db, ctx, runtime, store, close } = await world();
  const id = runtime.ids.uuid();
  const data = { text: 'a "quoted" {text}, with \\ and ü', nested: [1, null, { b: true }] };
  const { version } = await db.tx(ctx, (tx) =>
    store.append(tx, {
      stream: 'order-1',
      expected: 'none',
      events: [
        { type: 'Placed', data, id },
        { type: 'Paid', data: null, schemaVersion: 3 },
      ],
      metadata: { actor: 'usr_1', causation: 'evt_1' },
    }),
  );
  assert.equal(version, 2);
  const [placed, paid] = await store.read(db.at(ctx), 'order-1');
  assert.deepEqual(placed?.data, data);
  assert.equal(placed?.id, id);
  assert.equal(placed?.metadata.actor, 'usr_1');
  assert.match(placed?.metadata.traceparent ?? '', /^00-/);
  assert.deepEqual([paid?.version, paid?.type, paid?.data, paid?.schemaVersion], [2, 'Paid', null, 3]);
  assert.deepEqual(
    (await store.read(db.at(ctx), 'order-1', { fromVersion: 2 })).map(({ version }) => version),
    [2],
  );
  assert.deepEqual(await store.read(db.at(ctx), 'order-2'), []);
  await close();
});

test('an append holds only when the stream is as expected', async () => {
  const { append, close } = await world();
  await assert.rejects(append('s', 'exists'), isWrongVersion(0));
  await assert.rejects(append('s', 1), isWrongVersion(0));
  assert.equal(await append('s', 0, 2), 2);
  await assert.rejects(append('s', 'none'), isWrongVersion(2));
  await assert.rejects(append('s', 0), isWrongVersion(2));
  await assert.rejects(append('s', 1), isWrongVersion(2));
  await assert.rejects(append('s', 3), isWrongVersion(2));
  assert.equal(await append('s', 2), 3);
  assert.equal(await append('s', 'exists', 3), 6);
  assert.equal(await append('s', 'any'), 7);
  assert.equal(await append('t', 'any'), 1);
  await close();
});

test('a refused append leaves the transaction usable and nothing behind', async () => {
  const { db, ctx, store, append, close } = await world();
  await append('s', 'none');
  const event = { type: 'Happened', data: {} };
  await db.tx(ctx, async (tx) => {
    await assert.rejects(
      store.append(tx, { stream: 's', expected: 'none', events: [event, event] }),
      isWrongVersion(1),
    );
    await store.append(tx, { stream: 's', expected: 1, events: [event] });
  });
  assert.deepEqual(
    (await store.read(db.at(ctx), 's')).map(({ version }) => version),
    [1, 2],
  );
  await close();
});

test('a rollback takes the events with it', async () => {
  const { db, ctx, store, append, close } = await world();
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      await store.append(tx, { stream: 's', expected: 'none', events: [{ type: 'Happened', data: {} }] });
      await store.append(tx, { stream: 's', expected: 'none', events: [{ type: 'Happened', data: {} }] });
    }),
    isWrongVersion(1),
  );
  assert.equal(await append('s', 'none'), 1);
  await close();
});

test('of two appends that expect the same version, one wins', async () => {
  const { append, db, ctx, store, close } = await world();
  for (const expected of ['none', 1, 2] as const) {
    const results = await Promise.allSettled([append('s', expected), append('s', expected), append('s', expected)]);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results)
      if (result.status === 'rejected') assert.ok(hasReason(result.reason, 'EVENTSTORE_WRONG_VERSION'));
  }
  assert.equal((await store.read(db.at(ctx), 's')).length, 3);
  await close();
});

test('appends to a new stream that expect anything all hold', async () => {
  const { append, close } = await world();
  const versions = await Promise.all(Array.from({ length: 8 }, () => append('s', 'any')));
  assert.deepEqual(
    versions.sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  await close();
});

test('an append that is repeated with the same ids is done once, and answers as it did', async () => {
  const { db, ctx, runtime, store, append, close } = await world();
  const ids = [runtime.ids.uuid(), runtime.ids.uuid()];
  const events = ids.map((id) => ({ type: 'Happened', data: {}, id }));
  for (const [index, expected] of (['any', 'none', 0, 'exists'] as const).entries()) {
    const stream = `s-${index}`;
    if (expected === 'exists') await append(stream, 'none');
    const own = events.map((event) => ({ ...event, id: runtime.ids.uuid() }));
    const wanted = { stream, expected, events: own };
    const first = await store.appendAlone(db, ctx, wanted);
    await append(stream, 'any');
    assert.deepEqual(await store.appendAlone(db, ctx, wanted), first);
    assert.deepEqual(await db.tx(ctx, (tx) => store.append(tx, wanted)), first);
    const both = await Promise.all([1, 2, 3].map(() => store.appendAlone(db, ctx, wanted)));
    assert.deepEqual(both, [first, first, first]);
    assert.equal((await store.read(db.at(ctx), stream)).length, first.version + 1);
  }
  await close();
});

test('of the same ids appended at once, one append is done and all get its answer', async () => {
  const { db, ctx, runtime, store, close } = await world();
  const events = [{ type: 'Happened', data: {}, id: runtime.ids.uuid() }];
  const wanted = { stream: 's', expected: 'any', events } as const;
  const results = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      n % 2 ? store.appendAlone(db, ctx, wanted) : db.tx(ctx, (tx) => store.append(tx, wanted)),
    ),
  );
  for (const result of results) assert.deepEqual(result, results[0]);
  assert.equal((await store.read(db.at(ctx), 's')).length, 1);
  await close();
});

test('ids that were appended otherwise are refused, and nothing is appended', async () => {
  const { db, ctx, runtime, store, close } = await world();
  const [a, b, c] = [1, 2, 3].map(() => ({ type: 'Happened', data: {}, id: runtime.ids.uuid() })) as [
    NewEvent,
    NewEvent,
    NewEvent,
  ];
  await store.appendAlone(db, ctx, { stream: 's', expected: 'none', events: [a, b] });
  const mixed: readonly (readonly [string, readonly NewEvent[]])[] = [
    ['s', [b, c]],
    ['s', [b, a]],
    ['t', [a, b]],
    ['t', [c, a]],
  ];
  for (const [stream, events] of mixed) {
    const wanted = { stream, expected: 'any', events } as const;
    await assert.rejects(store.appendAlone(db, ctx, wanted), { reason: 'EVENTSTORE_EVENT_EXISTS' });
    await db.tx(ctx, async (tx) => {
      await assert.rejects(store.append(tx, wanted), { reason: 'EVENTSTORE_EVENT_EXISTS' });
    });
  }
  assert.equal((await store.readAll(db.at(ctx), { limit: 10 })).events.length, 2);
  await close();
});

test('several streams are appended to, all or none', async () => {
  const { db, ctx, store, append, close } = await world();
  const events = [{ type: 'Happened', data: {} }];
  const on = (stream: string, expected: ExpectedVersion) => ({ stream, expected, events });
  const results = await db.tx(ctx, (tx) => store.appendAll(tx, [on('b', 'none'), on('a', 'any'), on('c', 0)]));
  assert.deepEqual(
    results.map(({ version }) => version),
    [1, 1, 1],
  );
  assert.equal(new Set(results.map(({ position }) => position.xid)).size, 1);
  await append('b', 'any');
  await db.tx(ctx, async (tx) => {
    await assert.rejects(store.appendAll(tx, [on('a', 1), on('b', 1), on('c', 'any')]), isWrongVersion(2));
    await assert.rejects(store.appendAll(tx, [on('a', 1), on('a', 2)]), { reason: 'EVENTSTORE_INVALID_APPEND' });
  });
  const { events: all } = await store.readAll(db.at(ctx), { limit: 10 });
  assert.deepEqual(
    all.map(({ stream, version }) => `${stream}/${version}`),
    ['b/1', 'a/1', 'c/1', 'b/2'],
  );
  await close();
});

test('what cannot be appended is refused before it is sent', async () => {
  const { append, db, ctx, store, close } = await world();
  const invalid = (error: unknown) => hasReason(error, 'EVENTSTORE_INVALID_APPEND');
  await assert.rejects(append('', 'any'), invalid);
  await assert.rejects(append('s', 'any', 0), invalid);
  await assert.rejects(append('s', 'any', 501), invalid);
  await assert.rejects(append('s', -1), invalid);
  const events = [{ type: 'Happened', data: undefined }];
  await assert.rejects(store.appendAlone(db, ctx, { stream: 's', expected: 'any', events }), invalid);
  await close();
});

test('under any concurrent appends the versions of every stream are contiguous, and ids of transactions go with them', async () => {
  const { append, db, ctx, close } = await world();
  const arbitrary = fc.array(
    fc.record({
      stream: fc.constantFrom('a', 'b', 'c'),
      expected: fc.oneof(fc.constantFrom<ExpectedVersion>('any', 'none', 'exists'), fc.integer({ min: 0, max: 6 })),
      count: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 24 },
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(arbitrary, async (appends) => {
      const prefix = `${run++}-`;
      const won = await Promise.allSettled(
        appends.map(({ stream, expected, count }) => append(prefix + stream, expected, count)),
      );
      const expected = appends.reduce(
        (sum, { count }, index) => sum + (won[index]?.status === 'fulfilled' ? count : 0),
        0,
      );
      const { rows } = await db.at(ctx).query<{ stream: string; versions: bigint[]; head: bigint; ordered: boolean }>(
        `SELECT e.stream, array_agg(e.version ORDER BY e.epoch, e.xid, e.position) AS versions, s.version AS head
         FROM souk.es_event e JOIN souk.es_stream s USING (stream) WHERE starts_with(e.stream, $1) GROUP BY e.stream, s.version`,
        [prefix],
      );
      assert.equal(
        rows.reduce((sum, { versions }) => sum + versions.length, 0),
        expected,
      );
      for (const { versions, head } of rows) {
        assert.deepEqual(
          versions.map(Number),
          versions.map((_, index) => index + 1),
        );
        assert.equal(Number(head), versions.length);
      }
      for (const result of won) {
        if (result.status === 'rejected')
          assert.ok(hasReason(result.reason, 'EVENTSTORE_WRONG_VERSION'), String(result.reason));
      }
    }),
    { numRuns: 40 },
  );
  await close();
});
