import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import type { BusDelivery, Envelope } from '@souk/messaging';
import fc from 'fast-check';
import { Lanes, type Taken } from './lanes.ts';

const envelope = (key: string, number: number): Envelope => ({
  id: `${key}-${number}`,
  source: '/souk/test',
  type: 'happened',
  schema: 'test.Happened',
  key,
  time: '',
  traceparent: '',
  causationId: undefined,
  data: Uint8Array.of(number),
});

interface Broken {
  alive: boolean;
}

/** A channel that can be lost, and what was acknowledged over it. */
const taking =
  (acked: string[], channel: Broken = { alive: true }) =>
  (key: string, number: number): Taken => ({
    envelope: envelope(key, number),
    ordered: true,
    earlier: 0,
    isAlive: () => channel.alive,
    ack: () => void (channel.alive && acked.push(`${key}-${number}`)),
  });

const lanesOf = (
  runtime: ReturnType<typeof virtualRuntime>,
  handle: (delivery: BusDelivery) => Promise<void>,
  concurrency = 4,
) => new Lanes({ name: 'test', types: [], concurrency, handle }, runtime, silentLogger);

test('whatever fails, events of a key run in order and one at a time, and are acknowledged after they ran', async () => {
  const arbitrary = fc.record({
    seed: fc.nat(),
    concurrency: fc.integer({ min: 1, max: 4 }),
    events: fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), failures: fc.nat({ max: 3 }) }), {
      maxLength: 25,
    }),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ seed, concurrency, events }) => {
      const runtime = virtualRuntime({ seed });
      const acked: string[] = [];
      const handled: string[] = [];
      const running = new Set<string>();
      let most = 0;
      const lanes = lanesOf(
        runtime,
        async ({ envelope: { id, key, data }, delivery }) => {
          assert.ok(!running.has(key), 'two of a key at once');
          running.add(key);
          most = Math.max(most, running.size);
          await runtime.timers.sleep(runtime.random.next() * 20);
          running.delete(key);
          assert.ok(!acked.includes(id), 'acknowledged too early');
          if (delivery <= (events[data[0] as number]?.failures ?? 0)) throw new TypeError('broken');
          handled.push(id);
        },
        concurrency,
      );
      const take = taking(acked);
      events.forEach(({ key }, number) => void lanes.take(take(key, number)));
      await runtime.advance(60_000);
      assert.ok(most <= concurrency);
      assert.deepEqual(acked, handled);
      for (const wanted of ['a', 'b', 'c']) {
        const expected = events.flatMap(({ key }, number) => (key === wanted ? [`${key}-${number}`] : []));
        assert.deepEqual(
          handled.filter((id) => id.startsWith(wanted)),
          expected,
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('an event that runs when its channel is lost is joined by its redelivery, and what waited behind it comes again once', async () => {
  const runtime = virtualRuntime();
  const gate = Promise.withResolvers<void>();
  const started: string[] = [];
  const acked: string[] = [];
  const lanes = lanesOf(runtime, async ({ envelope: { id } }) => {
    started.push(id);
    if (id === 'a-1') await gate.promise;
  });
  const first = { alive: true };
  const before = taking(acked, first);
  for (const number of [1, 2]) lanes.take(before('a', number));
  await runtime.settle();
  first.alive = false;
  lanes.forgetOrphans();
  const after = taking(acked);
  for (const number of [1, 2]) lanes.take(after('a', number));
  await runtime.settle();
  assert.deepEqual(started, ['a-1']);
  gate.resolve();
  await runtime.settle();
  assert.deepEqual(started, ['a-1', 'a-2']);
  assert.deepEqual(acked, ['a-1', 'a-2']);
});

test('two copies of an event over living channels are both handled and both acknowledged', async () => {
  const runtime = virtualRuntime();
  const acked: string[] = [];
  const lanes = lanesOf(runtime, async () => {});
  const take = taking(acked);
  lanes.take(take('a', 1));
  lanes.take(take('a', 1));
  await runtime.settle();
  assert.deepEqual(acked, ['a-1', 'a-1']);
});

test('an event that waits for its next try is forgotten with its channel, and the next of its key runs', async () => {
  const runtime = virtualRuntime();
  const acked: string[] = [];
  let failing = true;
  const lanes = lanesOf(runtime, async () => {
    if (failing) throw new TypeError('broken');
  });
  const first = { alive: true };
  lanes.take(taking(acked, first)('a', 1));
  await runtime.settle();
  first.alive = false;
  lanes.forgetOrphans();
  failing = false;
  lanes.take(taking(acked)('a', 1));
  await runtime.settle();
  assert.deepEqual(acked, ['a-1']);
  await runtime.advance(10_000);
  assert.deepEqual(acked, ['a-1']);
});

test('paused lanes start nothing, and say when what ran has ended', async () => {
  const runtime = virtualRuntime();
  const gate = Promise.withResolvers<void>();
  const acked: string[] = [];
  const lanes = lanesOf(runtime, () => gate.promise);
  const take = taking(acked);
  lanes.take(take('a', 1));
  await runtime.settle();
  lanes.pause();
  lanes.take(take('b', 1));
  let idle = false;
  void lanes.idle().then(() => {
    idle = true;
  });
  await runtime.settle();
  assert.equal(idle, false);
  gate.resolve();
  await runtime.settle();
  assert.equal(idle, true);
  assert.deepEqual(acked, ['a-1']);
  lanes.resume();
  await runtime.settle();
  assert.deepEqual(acked, ['a-1', 'b-1']);
});
