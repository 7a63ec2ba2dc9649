import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../../tests/support/database.ts';
import { type Envelope, messagingMigrations } from './index.ts';
import { createRetryTable } from './retry-table.ts';

async function world() {
  const on = await testDatabase('retry', [messagingMigrations], { poolSize: 16 });
  const table = createRetryTable({ consumer: 'bazaar', db: on.db, runtime: on.runtime, handlerMs: 1000 });
  return { ...on, table };
}

const envelope = (key: string, number: number): Envelope => ({
  id: `${key}-${number}`,
  source: '/souk/test',
  type: 'bazaar.counted.v1',
  schema: 'bazaar.v1.Counted',
  key,
  time: '2026-01-01T00:00:00.000Z',
  traceparent: 'tp',
  causationId: 'cause',
  data: Uint8Array.of(number, 0, 255),
});

test('an event put aside comes back whole, with what went wrong', async () => {
  const { table, ctx, close } = await world();
  const failures = [{ at: '2026-01-01T00:00:00.000Z', reason: 'X_Y', error: 'why' }];
  await table.put(ctx, 'k', envelope('k', 7), 0, failures);
  const { claimed } = await table.claim(ctx, 10);
  assert.deepEqual(claimed[0]?.envelope, envelope('k', 7));
  assert.deepEqual(claimed[0]?.failures, failures);
  assert.equal(claimed[0]?.attempts, 1);
  const again = await table.claim(ctx, 10);
  assert.deepEqual([again.claimed, again.any], [[], true]);
  assert.ok(again.nextMs > 20_000 && again.nextMs <= 21_500, 'when the claim runs out');
  await close();
});

test('a claim that ran out and was taken by another changes nothing', async () => {
  const { table, ctx, db, close } = await world();
  await table.put(ctx, 'k', envelope('k', 1), 0, []);
  const [old] = (await table.claim(ctx, 1)).claimed;
  await db.at(ctx).query("UPDATE souk.retry SET locked_until = now() - interval '1 s'");
  const [next] = (await table.claim(ctx, 1)).claimed;
  assert.equal(next?.attempts, 2);
  await table.finish(ctx, old!, async () => assert.fail('must not run'));
  await table.postpone(ctx, old!, 0, { at: '', reason: '', error: '' });
  await table.giveBack(ctx, old!);
  assert.deepEqual((await table.claim(ctx, 1)).claimed, []);
  await table.finish(ctx, next!);
  assert.deepEqual(await table.claim(ctx, 1), { claimed: [], any: false, nextMs: Number.POSITIVE_INFINITY });
  await close();
});

test('with many who put aside and many who finish, each key keeps its order and nothing stays behind', async () => {
  const { table, ctx, close } = await world();
  const keys = ['a', 'b', 'c'];
  const done = new Map<string, number[]>(keys.map((key) => [key, []]));
  const running = new Set<string>();
  const perKey = 40;
  const puts = keys.map(async (key) => {
    // One delivery of a key at a time, as the bus has it.
    for (let number = 1; number <= perKey; number++) await table.put(ctx, key, envelope(key, number), 0, []);
  });
  let turns = 0;
  const work = async () => {
    while ([...done.values()].flat().length < keys.length * perKey && turns++ < 4000) {
      for (const one of (await table.claim(ctx, 2)).claimed) {
        assert.ok(!running.has(one.key), 'two of a key at once');
        running.add(one.key);
        done.get(one.key)?.push(one.envelope.data[0] as number);
        running.delete(one.key);
        await table.finish(ctx, one);
      }
    }
  };
  await Promise.all([...puts, ...Array.from({ length: 4 }, work)]);
  for (const key of keys)
    assert.deepEqual(
      done.get(key),
      Array.from({ length: perKey }, (_, index) => index + 1),
    );
  assert.equal((await table.claim(ctx, 1)).any, false);
  await close();
});

test('an event that is parked while the one before it leaves is not forgotten', async () => {
  const { table, ctx, db, runtime, close } = await world();
  await table.put(ctx, 'k', envelope('k', 1), 0, []);
  const [first] = (await table.claim(ctx, 1)).claimed;
  const decided = Promise.withResolvers<void>();
  const insert = Promise.withResolvers<void>();
  const slow = createRetryTable({
    consumer: 'bazaar',
    db: {
      ...db,
      tx: (txCtx, work, options) =>
        db.tx(
          txCtx,
          (tx) =>
            work({
              ctx: tx.ctx,
              script: (text) => tx.script(text),
              defer: (text, values) => tx.defer(text, values),
              afterCommit: (run) => tx.afterCommit(run),
              query: async (text, values) => {
                if (text.includes('retry-put')) {
                  decided.resolve();
                  await insert.promise;
                }
                return tx.query(text, values);
              },
            }),
          options,
        ),
    },
    runtime,
    handlerMs: 1000,
  });
  const parked = slow.park(ctx, 'k', envelope('k', 2));
  await decided.promise;
  const finished = table.finish(ctx, first!);
  await Promise.race([finished, runtime.timers.sleep(200)]);
  insert.resolve();
  assert.equal(await parked, true);
  await finished;
  assert.deepEqual(
    (await table.claim(ctx, 1)).claimed.map((one) => one.envelope.id),
    ['k-2'],
  );
  await close();
});
