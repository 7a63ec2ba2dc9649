import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, rootContext } from '@souk/kernel';
import { type Database, storeErrors } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, type ExpectedVersion, eventStoreMigrations, START } from './index.ts';

async function world() {
  const on = await testDatabase('appender', [eventStoreMigrations]);
  return { ...on, store: createEventStore({ runtime: on.runtime }), sql: on.db.at(on.ctx) };
}

const append = (stream: string, expected: ExpectedVersion, count = 1) => ({
  stream,
  expected,
  events: Array.from({ length: count }, (_, n) => ({ type: 'Happened', data: { n } })),
});

/** A database whose statements can be counted and can fail; `after` fails once the statement is committed. */
function troubled({ db }: TestDatabase, trouble: (call: number, after: boolean) => Error | undefined) {
  let calls = 0;
  const wrapped: Database = {
    ...db,
    at: (ctx) => ({
      query: async (text, values) => {
        const call = ++calls;
        const before = trouble(call, false);
        if (before !== undefined) throw before;
        const result = await db.at(ctx).query(text, values);
        const late = trouble(call, true);
        if (late !== undefined) throw late;
        return result as never;
      },
    }),
  };
  return { db: wrapped, calls: () => calls };
}

test('64 callers at once: each gets its own answer, every version is there once, in far fewer statements', async () => {
  const on = await world();
  const { db, calls } = troubled(on, () => undefined);
  let wrong = 0;
  const got = new Map<string, number[]>();
  const caller = async (me: number): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      const stream = (me + round) % 3 === 0 ? `hot-${round % 4}` : `own-${me}-${round}`;
      const count = 1 + ((me + round) % 3);
      const expected = stream.startsWith('own') ? 'none' : me % 2 ? 'any' : round;
      try {
        const { version } = await on.store.appendAlone(db, on.ctx, append(stream, expected, count));
        const versions = got.get(stream) ?? [];
        for (let n = 0; n < count; n++) versions.push(version - n);
        got.set(stream, versions);
      } catch (error) {
        assert.ok(hasReason(error, 'EVENTSTORE_WRONG_VERSION'));
        wrong++;
      }
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, me) => caller(me)));
  assert.ok(wrong > 0);
  assert.ok(calls() < (64 * 20) / 4, `${calls()} statements`);
  const { events } = await on.store.readAll(on.sql, { after: START, limit: 10_000 });
  const stored = new Map<string, number[]>();
  for (const { stream, version } of events) stored.set(stream, [...(stored.get(stream) ?? []), version]);
  assert.equal(stored.size, got.size);
  for (const [stream, versions] of stored) {
    assert.deepEqual(
      versions,
      versions.map((_, index) => index + 1),
    );
    assert.deepEqual(
      got.get(stream)?.sort((a, b) => a - b),
      versions,
    );
  }
  await on.close();
});

test('a wrong version, and data that the database refuses, fail only their own callers', async () => {
  const on = await world();
  const { store, db, ctx } = on;
  await db.at(ctx).query("ALTER TABLE souk.es_event ADD CHECK (data ->> 'n' <> '666')");
  const bad = { stream: 'bad', expected: 'any', events: [{ type: 'Happened', data: { n: 666 } }] } as const;
  const results = await Promise.allSettled([
    ...Array.from({ length: 9 }, (_, n) => store.appendAlone(db, ctx, append(`good-${n}`, 'none'))),
    store.appendAlone(db, ctx, append('wrong', 5)),
    store.appendAlone(db, ctx, bad),
    ...Array.from({ length: 9 }, (_, n) => store.appendAlone(db, ctx, append(`fine-${n}`, 'none'))),
  ]);
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [[index, result.reason.reason]] : [],
  );
  assert.deepEqual(failed, [
    [9, 'EVENTSTORE_WRONG_VERSION'],
    [10, 'STORE_CHECK_VIOLATION'],
  ]);
  assert.equal((await store.readAll(on.sql, { limit: 100 })).events.length, 18);
  await on.close();
});

test('a commit whose answer was lost is found by the ids: nothing is appended twice', async () => {
  const on = await world();
  const lost = troubled(on, (call, after) => (call <= 2 && after ? storeErrors.OUTCOME_UNKNOWN() : undefined));
  const results = await Promise.all([
    on.store.appendAlone(lost.db, on.ctx, append('a', 'none', 2)),
    on.store.appendAlone(lost.db, on.ctx, append('b', 'any')),
    on.store.appendAlone(lost.db, on.ctx, append('c', 0)),
  ]);
  assert.deepEqual(
    results.map(({ version }) => version),
    [2, 1, 1],
  );
  const { events } = await on.store.readAll(on.sql, { limit: 100 });
  assert.equal(events.length, 4);
  assert.deepEqual(results[0]?.position, events[1]?.position);
  assert.equal(lost.calls(), 3);
  await on.close();
});

test('a deadlock is tried again; a database that cannot be reached is told at once', async () => {
  const on = await world();
  const conflict = storeErrors.CONFLICT({ sqlState: '40P01' });
  const deadlocked = troubled(on, (call, after) => (call === 1 && !after ? conflict : undefined));
  assert.equal((await on.store.appendAlone(deadlocked.db, on.ctx, append('s', 'none'))).version, 1);
  const away = troubled(on, (_, after) => (after ? undefined : storeErrors.UNAVAILABLE()));
  await assert.rejects(on.store.appendAlone(away.db, on.ctx, append('t', 'none')), { reason: 'STORE_UNAVAILABLE' });
  assert.equal(away.calls(), 1);
  await on.close();
});

test('a stream that another transaction holds keeps nobody else waiting', async () => {
  const on = await world();
  const { store, db, ctx } = on;
  const { promise: ending, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: began } = Promise.withResolvers<void>();
  const holder = db.tx(ctx, async (tx) => {
    await store.append(tx, append('held', 'none'));
    began();
    await ending;
  });
  await begun;
  const settled: string[] = [];
  const note = (name: string) => () => void settled.push(name);
  const waiting = Array.from({ length: 6 }, () => store.appendAlone(db, ctx, append('held', 'any')).then(note('held')));
  for (let n = 0; n < 5; n++) await store.appendAlone(db, ctx, append(`free-${n}`, 'none')).then(note('free'));
  assert.deepEqual(
    settled,
    Array.from({ length: 5 }, () => 'free'),
  );
  end();
  await Promise.all([holder, ...waiting]);
  assert.equal((await store.read(db.at(ctx), 'held')).length, 7);
  await on.close();
});

test('who gives up before it is sent is not sent', async () => {
  const on = await world();
  const gone = new AbortController();
  using ctx = rootContext({ runtime: on.runtime, signal: gone.signal });
  const first = on.store.appendAlone(on.db, on.ctx, append('a', 'none'));
  const given = on.store.appendAlone(on.db, ctx, append('b', 'none'));
  gone.abort();
  await assert.rejects(given, { code: 'canceled' });
  await first;
  await on.store.appendAlone(on.db, on.ctx, append('c', 'none'));
  assert.deepEqual(
    (await on.store.readAll(on.sql, { limit: 9 })).events.map(({ stream }) => stream),
    ['a', 'c'],
  );
  await on.close();
});
