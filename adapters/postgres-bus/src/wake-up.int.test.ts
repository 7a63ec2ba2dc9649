import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Database } from '@souk/store';
import { envelopeOf, hear, startServer, until, type World } from '../test/bus-world.ts';

const server = await startServer();
after(() => server.stop());

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** Nothing that is notified arrives. */
const deaf = (db: Database): Database => ({
  ...db,
  listen: (channel, handlers) => db.listen(channel, { ...handlers, onNotify: () => {} }),
});

const counting =
  (count: (text: string) => void) =>
  (db: Database): Database => ({
    ...db,
    at: (ctx) => ({
      query: (text, values) => {
        count(text);
        return db.at(ctx).query(text, values);
      },
    }),
  });

/** Milliseconds from the end of `publish` to the handler in another process, one event at a time. */
async function delays(world: World, count: number, pauseMs: number, around?: (db: Database) => Database) {
  const { runtime } = world;
  const [publisher, consumer] = [world.client({ leaseMs: 3600 }), world.client({ leaseMs: 3600 }, around)];
  let heardMs = 0;
  consumer.bus.subscribe(
    hear(async () => {
      heardMs = runtime.clock.monotonicMs();
    }),
  );
  await consumer.bus.start();
  await publisher.bus.start();
  const found: number[] = [];
  for (let number = 0; number < count; number++) {
    await runtime.timers.sleep(pauseMs * (0.5 + runtime.random.next()));
    heardMs = 0;
    await publisher.bus.publish([envelopeOf(runtime, `key-${number}`, number)]);
    const publishedMs = runtime.clock.monotonicMs();
    await until(runtime, 'the event', () => heardMs > 0);
    found.push(Math.max(0, heardMs - publishedMs));
  }
  await Promise.all([publisher.bus.close(), consumer.bus.close()]);
  return found;
}

test('an event is heard by another process within milliseconds of its commit', async (t) => {
  const world = await server.world();
  t.after(() => world.close());
  const found = await delays(world, 60, 30);
  t.diagnostic(`median ${median(found).toFixed(1)} ms, longest ${Math.max(...found).toFixed(1)} ms`);
  // What a busy machine adds is not ours.
  assert.ok(median(found) < 25, String(median(found)));
});

test('when all notifications are lost, an event is heard all the same, about a second later', async (t) => {
  const world = await server.world();
  t.after(() => world.close());
  const found = await delays(world, 4, 1500, deaf);
  t.diagnostic(`median ${median(found).toFixed(0)} ms, longest ${Math.max(...found).toFixed(0)} ms`);
  assert.ok(Math.max(...found) < 2000, String(found));
});

test('a process that hears eight groups asks less than twice a second while nothing happens', async (t) => {
  const world = await server.world();
  t.after(() => world.close());
  const { runtime } = world;
  const asked: string[] = [];
  const { bus } = world.client(
    { leaseMs: 3600 },
    counting((text) => asked.push(/\/\* (\S+) \*\//.exec(text)?.[1] ?? text)),
  );
  let heard = 0;
  for (let index = 0; index < 8; index++) bus.subscribe(hear(async () => void heard++, { name: `group-${index}` }));
  await bus.start();
  await bus.publish([envelopeOf(runtime, 'k', 0)]);
  await until(runtime, 'all', () => heard === 8);
  // It looks ever more seldom, and then not at all.
  await runtime.timers.sleep(4000);
  asked.length = 0;
  await runtime.timers.sleep(5000);
  assert.ok(asked.length < 10, `${asked.length} in 5 s: ${asked.join(' ')}`);
  await bus.close();
});

test('a process alone sends no notification for its events', async (t) => {
  const world = await server.world();
  t.after(() => world.close());
  const { runtime } = world;
  const asked: string[] = [];
  const { bus } = world.client(
    {},
    counting((text) => asked.push(text)),
  );
  let heard = 0;
  bus.subscribe(hear(async () => void heard++));
  await bus.start();
  await runtime.timers.sleep(50);
  asked.length = 0;
  for (let number = 0; number < 20; number++) await bus.publish([envelopeOf(runtime, 'k', number)]);
  await until(runtime, 'all', () => heard === 20);
  assert.equal(asked.filter((text) => text.includes('pg_notify')).length, 0);
  await bus.close();
});
