import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { type Counted, CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { createInProcessBus, type Messaging, messagingDefaults, messagingMigrations } from './index.ts';

const { pollMs, leaseMs, statsMs } = messagingDefaults;

/** A database whose statements are counted by the comment they begin with. */
function counting(db: Database): { readonly db: Database; readonly counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const note = (text: string): void => {
    const name = /^\s*\/\* ([\w-]+) \*\//.exec(text)?.[1] ?? 'other';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  return {
    counts,
    db: {
      ...db,
      at: (ctx) => ({
        query: (text, values) => {
          note(text);
          return db.at(ctx).query(text, values);
        },
      }),
    },
  };
}

const hears = (
  on: TestDatabase,
  onHeard: (number: number) => void,
  db: Database = on.db,
  bus = newBus(on),
): Messaging =>
  testService({
    on: { ...on, db },
    bus,
    options: { pollMs, leaseMs, statsMs },
    subscriptions: [
      { schema: CountedSchema, ordered: true, handle: async (_ctx, event) => onHeard((event as Counted).number) },
    ],
  });

const newBus = (on: TestDatabase) => createInProcessBus({ runtime: on.runtime });

test('an event reaches its handler a few milliseconds after its commit', async (t) => {
  const on = await testDatabase('latency', [messagingMigrations]);
  const { clock, timers } = on.runtime;
  let heardMs = 0;
  const service = hears(on, () => {
    heardMs = clock.monotonicMs();
  });
  await service.start();
  const times: number[] = [];
  for (let number = 0; number < 60; number++) {
    heardMs = 0;
    await publishCounted(on, service, `k${number}`, number);
    const committedMs = clock.monotonicMs();
    await until('the event', () => heardMs > 0);
    times.push(Math.max(0, heardMs - committedMs));
    await timers.sleep(25);
  }
  const median = times.sort((a, b) => a - b)[30] as number;
  t.diagnostic(`commit to handler: median ${median.toFixed(2)} ms, p90 ${times[54]?.toFixed(2)} ms`);
  assert.ok(median <= 15, `${median} ms`);
  await service.stop();
  await on.close();
});

test('a burst of commits is read in batches', async () => {
  const on = await testDatabase('burst', [messagingMigrations]);
  const { db, counts } = counting(on.db);
  let heard = 0;
  const service = hears(on, () => heard++, db);
  await service.start();
  await until('slots', () => service.health().relay === 'leading');
  counts.clear();
  await Promise.all(Array.from({ length: 200 }, (_, number) => publishCounted(on, service, `k${number}`, number)));
  await until('all', () => heard === 200);
  assert.ok((counts.get('relay-read') ?? 0) < 60, `${counts.get('relay-read')} reads for 200 events`);
  await service.stop();
  await on.close();
});

test('a service to which nothing happens asks the database less than twice a second', async (t) => {
  const on = await testDatabase('idle', [messagingMigrations]);
  const { db, counts } = counting(on.db);
  const service = hears(on, () => {}, db);
  await service.start();
  await on.runtime.timers.sleep(300);
  counts.clear();
  await on.runtime.timers.sleep(5000);
  const perSecond = [...counts.values()].reduce((sum, count) => sum + count, 0) / 5;
  t.diagnostic(`${perSecond} statements a second: ${JSON.stringify(Object.fromEntries(counts))}`);
  assert.ok(perSecond <= 2, String(perSecond));
  await service.stop();
  await on.close();
});

async function twoProcesses(listen: (db: Database) => Database['listen']) {
  const on = await testDatabase('wake', [messagingMigrations]);
  const db = { ...on.db, listen: listen(on.db) };
  let heardMs = 0;
  const onHeard = () => {
    heardMs = on.runtime.clock.monotonicMs();
  };
  const services = [1, 2].map(() => hears(on, onHeard, db));
  await Promise.all(services.map((one) => one.start()));
  const shares = () =>
    on.db.at(on.ctx).query('SELECT FROM souk.relay_lease WHERE owner IS NOT NULL GROUP BY owner HAVING count(*) = 8');
  await until('halves', async () => (await shares()).rowCount === 2);
  // Both have looked since, and know of each other.
  await on.runtime.timers.sleep(leaseMs / 4 + 200);
  return {
    /** How long each of some keys takes that is published by the first process, whoever relays it. */
    delays: async (count: number): Promise<number[]> => {
      const delays: number[] = [];
      for (let number = 0; number < count; number++) {
        heardMs = 0;
        await publishCounted(on, services[0]!, `key-${number}`, number);
        const committedMs = on.runtime.clock.monotonicMs();
        await until('the event', () => heardMs > 0);
        delays.push(heardMs - committedMs);
        await on.runtime.timers.sleep(15);
      }
      return delays.sort((a, b) => a - b);
    },
    close: async () => {
      await Promise.all(services.map((one) => one.stop()));
      await on.close();
    },
  };
}

test('what one process commits wakes the one that relays it', async (t) => {
  const world = await twoProcesses((db) => db.listen);
  const delays = await world.delays(30);
  t.diagnostic(`between processes: median ${delays[15]?.toFixed(1)} ms, longest ${delays.at(-1)?.toFixed(1)} ms`);
  assert.ok((delays[27] as number) < 150, String(delays));
  await world.close();
});

test('with all notifications lost, events come with the next look', async () => {
  const world = await twoProcesses(() => async () => ({ close: async () => {} }));
  const delays = await world.delays(6);
  assert.ok((delays.at(-1) as number) < leaseMs / 4 + 500, String(delays));
  await world.close();
});
