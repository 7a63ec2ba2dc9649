import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { busSuite } from './conformance.ts';
import type { Envelope } from './envelope.ts';
import { createInProcessBus } from './in-process-bus.ts';

busSuite('in-process bus', async () => {
  const runtime = virtualRuntime();
  const bus = createInProcessBus({ runtime });
  return { bus: () => bus, runtime, pass: (ms) => runtime.advance(ms) };
});

const envelope = (key: string, number: number, type = 'happened'): Envelope => ({
  id: `${key}-${number}`,
  source: '/souk/test',
  type,
  schema: 'test.Happened',
  key,
  time: '2026-01-01T00:00:00.000Z',
  traceparent: '',
  causationId: undefined,
  data: Uint8Array.of(number),
});

test('a full subscription refuses all of a call, for all subscriptions', async () => {
  const runtime = virtualRuntime();
  const bus = createInProcessBus({ runtime, capacity: 2 });
  const stuck = Promise.withResolvers<void>();
  let heard = 0;
  bus.subscribe({ name: 'fast', types: [{ type: 'happened', ordered: true }], handle: async () => void heard++ });
  bus.subscribe({ name: 'stuck', types: [{ type: 'happened', ordered: true }], handle: () => stuck.promise });
  const first = bus.publish([envelope('a', 1), envelope('b', 1)]);
  await runtime.settle();
  await assert.rejects(bus.publish([envelope('a', 2)]), (error) => hasReason(error, 'MESSAGING_BUS_FULL'));
  assert.equal(heard, 2);
  stuck.resolve();
  await first;
  await bus.publish([envelope('a', 2)]);
  assert.equal(heard, 3);
});

test('a handler never runs in its publisher’s own turn', async () => {
  const bus = createInProcessBus({ runtime: virtualRuntime() });
  let heard = false;
  bus.subscribe({
    name: 'listener',
    types: [{ type: 'happened', ordered: true }],
    handle: async () => {
      heard = true;
    },
  });
  const published = bus.publish([envelope('a', 1)]);
  assert.equal(heard, false);
  await published;
  assert.equal(heard, true);
});

test('events that fail wait longer each time, and a close ends the wait', async () => {
  const runtime = virtualRuntime();
  const bus = createInProcessBus({ runtime });
  const atMs: number[] = [];
  const active = bus.subscribe({
    name: 'listener',
    types: [{ type: 'happened', ordered: true }],
    handle: async () => {
      atMs.push(runtime.clock.monotonicMs());
      throw new TypeError('broken');
    },
  });
  const published = bus.publish([envelope('a', 1)]);
  const rejected = assert.rejects(published, (error) => hasReason(error, 'MESSAGING_SUBSCRIPTION_CLOSED'));
  await runtime.advance(60_000);
  const gaps = atMs.slice(1).map((at, index) => at - (atMs[index] as number));
  assert.ok((gaps[0] as number) <= 50 && Math.max(...gaps) > 2000 && Math.max(...gaps) <= 5000, String(gaps));
  await active.close();
  await rejected;
  assert.equal(runtime.pendingTimers, 0);
});

test('whatever fails and however many publish, every event of a key is handled in order', async () => {
  const arbitrary = fc.record({
    seed: fc.nat(),
    concurrency: fc.integer({ min: 1, max: 4 }),
    events: fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), failures: fc.integer({ min: 0, max: 3 }) }), {
      maxLength: 30,
    }),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ seed, concurrency, events }) => {
      const runtime = virtualRuntime({ seed });
      const bus = createInProcessBus({ runtime });
      const handled: number[] = [];
      bus.subscribe({
        name: 'listener',
        concurrency,
        types: [{ type: 'happened', ordered: true }],
        handle: async ({ envelope, delivery }) => {
          const number = envelope.data[0] as number;
          await runtime.timers.sleep(runtime.random.next() * 20);
          if (delivery <= (events[number]?.failures ?? 0)) throw new TypeError('broken');
          handled.push(number);
        },
      });
      const published = Promise.all(events.map(({ key }, number) => bus.publish([envelope(key, number)])));
      await runtime.advance(120_000);
      await published;
      assert.equal(handled.length, events.length);
      for (const key of ['a', 'b', 'c']) {
        const numbers = handled.filter((number) => events[number]?.key === key);
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
      }
    }),
    { numRuns: 100 },
  );
});
