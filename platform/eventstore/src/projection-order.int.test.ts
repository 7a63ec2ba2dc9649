import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectionWorld, totals, until } from '../test/world.ts';
import { createEventStore, createUpcasters, type EventStore, type RecordedEvent } from './index.ts';
import { createOrderWatch } from './projection-order.ts';

const OUT_OF_ORDER = { reason: 'PROJECTION_OUT_OF_ORDER' };

const event = (version: number, at: number, stream = 'count-a') =>
  ({ stream, version, position: { epoch: 1, xid: BigInt(at), position: 1n } }) as RecordedEvent;

/** Of a store whose streams hold nothing. */
const nothing = { readPages: async function* () {} } as unknown as EventStore;

test('versions come one after the other; what is read again is no news; of a new stream any may come', async () => {
  const watch = createOrderWatch({ name: 'totals', store: nothing });
  const check = (...events: RecordedEvent[]) => watch.check(undefined as never, events);
  await check(event(7, 10), event(8, 11), event(1, 12, 'count-b'));
  await check(event(7, 10), event(8, 11), event(9, 13), event(9, 13), event(2, 14, 'count-b'));
  for (const wrong of [event(8, 15), event(9, 15), event(11, 15), event(1, 15, 'count-b'), event(4, 15, 'count-b')]) {
    // It does not get used to it.
    for (let times = 0; times < 2; times++) await assert.rejects(check(wrong), OUT_OF_ORDER);
  }
  await check(event(10, 16), event(3, 16, 'count-b'));
});

test('streams that were silent for long are forgotten first', async () => {
  const watch = createOrderWatch({ name: 'totals', store: nothing }, 2);
  const check = (...events: RecordedEvent[]) => watch.check(undefined as never, events);
  await check(event(1, 1, 'a'), event(1, 2, 'b'), event(2, 3, 'a'), event(1, 4, 'c'));
  await assert.rejects(check(event(5, 5, 'a')), OUT_OF_ORDER);
  await check(event(5, 6, 'b'));
});

test('a version that went missing stops its projection with the reason, and nothing after it is taken', async (t) => {
  const world = await projectionWorld(t);
  const projections = await world.start();
  const first = await world.add('a', 1);
  await projections.waitFor(world.ctx, 'totals', first.position, 5000);
  // Both come in one transaction: the projection sees what is left of it.
  await world.db.tx(world.ctx, async (tx) => {
    await world.store.append(tx, {
      stream: 'count-a',
      expected: 1,
      events: [2, 3].map((amount) => ({ type: 'Added', data: { amount } })),
    });
    await tx.query("DELETE FROM souk.es_event WHERE stream = 'count-a' AND version = 2");
  });
  await until(world, 'the reason is told', async () => {
    const [status] = await projections.list(world.ctx);
    return status?.state === 'FAILED' && (status.error ?? '').startsWith('PROJECTION_OUT_OF_ORDER');
  });
  assert.deepEqual(await world.totals(), { a: 1 });
});

test('versions that upcasters make nothing of are not missing', async (t) => {
  const world = await projectionWorld(t);
  const upcasters = createUpcasters({ Noted: [() => []] });
  const store = createEventStore({ runtime: world.runtime, upcasters });
  const watch = createOrderWatch({ name: totals().name, store });
  await world.db.tx(world.ctx, (tx) =>
    store.append(tx, {
      stream: 'count-a',
      expected: 'none',
      events: ['Added', 'Noted', 'Noted', 'Added'].map((type) => ({ type, data: { amount: 1 }, schemaVersion: 1 })),
    }),
  );
  const sql = world.db.at(world.ctx);
  const { events } = await store.readAll(sql, { limit: 10 });
  assert.deepEqual(
    events.map(({ version }) => version),
    [1, 4],
  );
  await watch.check(sql, events);
  const withoutUpcasters = createOrderWatch({ name: totals().name, store: world.store });
  await assert.rejects(withoutUpcasters.check(sql, events), OUT_OF_ORDER);
});
