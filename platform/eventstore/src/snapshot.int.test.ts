import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, createSnapshots, createUpcasters, eventStoreMigrations, type Fold } from './index.ts';

interface Sum {
  readonly total: number;
  readonly trail: string;
}

const sum: Fold<Sum> = {
  name: 'sum',
  hash: '1',
  initial: { total: 0, trail: '' },
  evolve: ({ total, trail }, { data, version }) => ({
    total: total + (data as { n: number }).n,
    trail: `${trail}${version};`,
  }),
};

async function world(every: number) {
  const on = await testDatabase('snapshot', [eventStoreMigrations]);
  const upcasters = createUpcasters({ Nothing: [() => []] });
  const store = createEventStore({ runtime: on.runtime, upcasters });
  const snapshots = createSnapshots({ store, db: on.db, runtime: on.runtime, ctx: on.ctx, every });
  const sql = on.db.at(on.ctx);
  const append = (stream: string, numbers: readonly number[], type = 'Added') =>
    store.appendAlone(on.db, on.ctx, {
      stream,
      expected: 'any',
      events: numbers.map((n) => ({ type, data: { n }, schemaVersion: 1 })),
    });
  const kept = async () =>
    (
      await sql.query<{ stream: string; version: bigint; hash: string }>(
        'SELECT stream, version, hash FROM souk.es_snapshot ORDER BY stream',
      )
    ).rows.map(({ stream, version, hash }) => `${stream}/${version} ${hash}`);
  return { ...on, store, snapshots, sql, append, kept };
}

const full = async ({ store, sql }: Awaited<ReturnType<typeof world>>, stream: string) =>
  (await store.read(sql, stream)).reduce(sum.evolve, sum.initial);

test('whatever was appended and loaded, a snapshot and the events after it give the same as all events', async () => {
  const on = await world(5);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 12 }), {
        minLength: 1,
        maxLength: 8,
      }),
      async (appends) => {
        const stream = `s-${run++}`;
        let version = 0;
        for (const numbers of appends) {
          await on.append(stream, numbers);
          version += numbers.length;
          const loaded = await on.snapshots.load(on.sql, sum, stream);
          assert.deepEqual(loaded, { state: await full(on, stream), version });
          await on.snapshots.settled();
        }
      },
    ),
    { numRuns: 25 },
  );
  assert.ok((await on.kept()).length > 0, 'snapshots were used');
  await on.close();
});

test('a snapshot is used: events before it are not read', async () => {
  const on = await world(3);
  await on.append('s', [1, 2, 3, 4]);
  await on.snapshots.load(on.sql, sum, 's');
  await on.snapshots.settled();
  assert.deepEqual(await on.kept(), ['s/4 1']);
  await on.sql.query(`UPDATE souk.es_snapshot SET state = '{"total": 1000, "trail": ""}'`);
  await on.append('s', [5]);
  assert.deepEqual(await on.snapshots.load(on.sql, sum, 's'), { state: { total: 1005, trail: '5;' }, version: 5 });
  await on.close();
});

test('a snapshot of other rules is not used, and replaced', async () => {
  const on = await world(3);
  await on.append('s', [1, 2, 3, 4]);
  await on.snapshots.load(on.sql, sum, 's');
  await on.snapshots.settled();
  const doubled: Fold<Sum> = {
    ...sum,
    hash: '2',
    evolve: (state, event) => ({
      ...sum.evolve(state, event),
      total: state.total + 2 * (event.data as { n: number }).n,
    }),
  };
  assert.equal((await on.snapshots.load(on.sql, doubled, 's')).state.total, 20);
  await on.snapshots.settled();
  assert.deepEqual(await on.kept(), ['s/4 2']);
  await on.close();
});

test('few events need no snapshot; dropped ones leave nothing behind', async () => {
  const on = await world(3);
  await on.append('few', [1, 2, 3]);
  await on.snapshots.load(on.sql, sum, 'few');
  await on.append('many', [1, 2, 3, 4]);
  await on.snapshots.load(on.sql, sum, 'many');
  await on.snapshots.settled();
  assert.deepEqual(await on.kept(), ['many/4 1']);
  await on.snapshots.drop(on.sql, 'few');
  assert.equal((await on.kept()).length, 1);
  await on.snapshots.drop(on.sql);
  assert.equal((await on.kept()).length, 0);
  await on.close();
});

test('what may yet be rolled back is in no snapshot', async () => {
  const on = await world(3);
  const { db, ctx, store, snapshots } = on;
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      const events = [1, 2, 3, 4].map((n) => ({ type: 'Added', data: { n } }));
      await store.append(tx, { stream: 's', expected: 'none', events });
      assert.equal((await snapshots.load(tx, sum, 's')).version, 4);
      await snapshots.settled();
      throw new TypeError('no');
    }),
  );
  assert.deepEqual(await on.kept(), []);
  await on.close();
});

test('the version counts events that upcasters drop', async () => {
  const on = await world(100);
  await on.append('s', [1, 2]);
  await on.append('s', [3], 'Nothing');
  assert.deepEqual(await on.snapshots.load(on.sql, sum, 's'), { state: { total: 3, trail: '1;2;' }, version: 3 });
  await on.close();
});
