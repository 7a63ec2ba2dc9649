import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../../tests/support/database.ts';
import { comparePositions, createEventStore, eventStoreMigrations, type Position, START } from './index.ts';

async function world() {
  const on = await testDatabase('reader', [eventStoreMigrations]);
  const store = createEventStore({ runtime: on.runtime });
  const sql = on.db.at(on.ctx);
  const append = (stream: string, count = 1) =>
    store.appendAlone(on.db, on.ctx, {
      stream,
      expected: 'any',
      events: Array.from({ length: count }, (_, n) => ({ type: 'Happened', data: { n } })),
    });
  return { ...on, store, sql, append };
}

const names = (events: readonly { stream: string; version: number }[]) =>
  events.map(({ stream, version }) => `${stream}/${version}`);

test('an empty store has no head, and nothing to read', async () => {
  const { store, sql, close } = await world();
  assert.deepEqual(await store.headPosition(sql), START);
  assert.deepEqual(await store.readAll(sql, { limit: 5 }), { events: [], next: START, head: true });
  assert.deepEqual(await store.readAll(sql, { limit: 5, direction: 'backward' }), {
    events: [],
    next: START,
    head: true,
  });
  await close();
});

test('all events are read in pages, in one order, forward and backward', async () => {
  const { store, sql, append, close } = await world();
  for (const stream of ['a-1', 'b-1', 'a-2', 'a-1', 'c']) await append(stream, 2);
  const wanted = ['a-1/1', 'a-1/2', 'b-1/1', 'b-1/2', 'a-2/1', 'a-2/2', 'a-1/3', 'a-1/4', 'c/1', 'c/2'];
  for (const direction of ['forward', 'backward'] as const) {
    const seen: string[] = [];
    let after: Position | undefined;
    for (let pages = 1; ; pages++) {
      const page = await store.readAll(sql, { after, limit: 3, direction });
      seen.push(...names(page.events));
      after = page.next;
      if (page.head) {
        assert.equal(pages, 4);
        break;
      }
    }
    assert.deepEqual(seen, direction === 'forward' ? wanted : wanted.toReversed());
  }
  const all = await store.readAll(sql, { limit: 100 });
  assert.deepEqual(all.next, all.events.at(-1)?.position);
  assert.deepEqual(await store.headPosition(sql), all.next);
  assert.deepEqual(
    names((await store.readAll(sql, { after: all.events[2]?.position, limit: 2, direction: 'backward' })).events),
    ['a-1/2', 'a-1/1'],
  );
  await close();
});

test('a filter leaves events out, and the cursor moves past them', async () => {
  const { store, sql, append, close } = await world();
  for (const stream of ['a-1', 'b-1', 'a-2', 'b-2', 'c']) await append(stream);
  const head = await store.headPosition(sql);
  const page = await store.readAll(sql, { limit: 10, category: 'a' });
  assert.deepEqual(names(page.events), ['a-1/1', 'a-2/1']);
  assert.deepEqual([page.next, page.head], [head, true]);
  assert.deepEqual(names((await store.readAll(sql, { limit: 10, category: 'c' })).events), ['c/1']);
  assert.deepEqual(names((await store.readAll(sql, { limit: 1, category: 'b', direction: 'backward' })).events), [
    'b-2/1',
  ]);
  const parts = await Promise.all(
    [0, 1, 2].map((index) => store.readAll(sql, { limit: 10, partition: { index, of: 3 } })),
  );
  assert.deepEqual(parts.flatMap(({ events }) => names(events)).sort(), ['a-1/1', 'a-2/1', 'b-1/1', 'b-2/1', 'c/1']);
  for (const { next } of parts) assert.equal(comparePositions(next, head), 0);
  await close();
});

test('a cursor that is ahead of the store stops with an error', async () => {
  const { store, sql, append, close } = await world();
  await append('a-1');
  const { next } = await store.readAll(sql, { limit: 10 });
  assert.equal((await store.readAll(sql, { limit: 10, after: next })).head, true);
  for (const after of [
    { ...next, position: next.position + 1n },
    { ...next, xid: next.xid + 1n },
    { ...next, epoch: next.epoch + 1 },
  ])
    await assert.rejects(store.readAll(sql, { limit: 10, after }), { reason: 'EVENTSTORE_CURSOR_AHEAD' });
  await close();
});
