import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, createUpcasters, eventStoreMigrations, type PageOptions } from './index.ts';

test('a stream is read forward and backward, from a version, up to a limit, at once or page by page', async () => {
  const on = await testDatabase('stream-reader', [eventStoreMigrations]);
  const store = createEventStore({ runtime: on.runtime });
  const sql = on.db.at(on.ctx);
  const events = Array.from({ length: 10 }, (_, n) => ({ type: 'Happened', data: { n } }));
  for (const stream of ['s', 'r', 't']) await store.appendAlone(on.db, on.ctx, { stream, expected: 'none', events });
  const cases: readonly (readonly [PageOptions, readonly number[]])[] = [
    [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ fromVersion: 8 }, [8, 9, 10]],
    [{ fromVersion: 11 }, []],
    [{ limit: 3 }, [1, 2, 3]],
    [{ fromVersion: 4, limit: 5 }, [4, 5, 6, 7, 8]],
    [{ direction: 'backward', limit: 4 }, [10, 9, 8, 7]],
    [{ direction: 'backward', fromVersion: 3 }, [3, 2, 1]],
    [{ direction: 'backward' }, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
  ];
  for (const [options, wanted] of cases) {
    assert.deepEqual(
      (await store.read(sql, 's', options)).map(({ version }) => version),
      wanted,
    );
    for (const pageSize of [1, 3, 5, 100]) {
      const seen: number[] = [];
      for await (const { version } of store.readStream(sql, 's', { ...options, pageSize })) seen.push(version);
      assert.deepEqual(seen, wanted, `pages of ${pageSize}`);
    }
  }
  await on.close();
});

test('older events are read as they would be today, by stream, by page and by position', async () => {
  const on = await testDatabase('stream-upcast', [eventStoreMigrations]);
  const sql = on.db.at(on.ctx);
  const old = createEventStore({ runtime: on.runtime });
  await old.appendAlone(on.db, on.ctx, {
    stream: 'order-1',
    expected: 'none',
    events: [
      { type: 'Placed', data: { total: 1 } },
      { type: 'Noise', data: {} },
      { type: 'Split', data: {} },
    ],
  });
  const upcasters = createUpcasters({
    Placed: [(data) => ({ data: { ...(data as object), currency: 'EUR' } })],
    Noise: [() => []],
    Split: [
      () => [
        { type: 'Left', data: 1 },
        { type: 'Right', data: 2 },
      ],
    ],
  });
  const store = createEventStore({ runtime: on.runtime, upcasters });
  const wanted = [
    [1, 'Placed', { total: 1, currency: 'EUR' }],
    [3, 'Left', 1],
    [3, 'Right', 2],
  ];
  const shape = (events: readonly { version: number; type: string; data: unknown }[]) =>
    events.map(({ version, type, data }) => [version, type, data]);
  assert.deepEqual(shape(await store.read(sql, 'order-1')), wanted);
  const page = await store.readAll(sql, { limit: 3 });
  assert.deepEqual(shape(page.events), wanted);
  const pages = [];
  for await (const { version, events } of store.readPages(sql, 'order-1', { pageSize: 1 }))
    pages.push([version, events.length]);
  assert.deepEqual(pages, [
    [1, 1],
    [2, 0],
    [3, 2],
  ]);
  await store.appendAlone(on.db, on.ctx, { stream: 'order-1', expected: 3, events: [{ type: 'Placed', data: {} }] });
  assert.equal((await store.read(sql, 'order-1', { fromVersion: 4 }))[0]?.schemaVersion, 2);
  await assert.rejects(
    createEventStore({ runtime: on.runtime, upcasters: createUpcasters({}, { Placed: 1 }) }).readAll(sql, { limit: 9 }),
    { reason: 'EVENTSTORE_SCHEMA_TOO_NEW' },
  );
  await on.close();
});
