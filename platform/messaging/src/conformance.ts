import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, type Runtime } from '@souk/kernel';
import type { ActiveSubscription, Bus, BusDelivery } from './bus.ts';
import type { Envelope } from './envelope.ts';

/** A bus under test, and the ids of which its events are made. */
export interface BusUnderTest {
  readonly bus: Bus;
  readonly runtime: Runtime;
  /** Lets waits of the bus pass: moves a virtual clock on, or sleeps. Milliseconds. */
  pass(ms: number): Promise<void>;
}

const errors = defineErrors('BUSTEST', { BUSY: { code: 'unavailable', text: 'not now', retry: 'later' } });

/**
 * What every bus does. Call it from a test file of the implementation.
 *
 * @param make A new bus that no other case knows.
 * @param skips Reasons in words, by the name of the case.
 */
export function busSuite(make: () => Promise<BusUnderTest>, skips: Readonly<Record<string, string>> = {}): void {
  for (const [name, check] of Object.entries(cases)) {
    test(`bus: ${name}`, { skip: skips[name] ?? false }, async () => {
      const world = await make();
      try {
        await check(world);
      } finally {
        await world.bus.close();
      }
    });
  }
}

type Case = (world: BusUnderTest) => Promise<void>;

const TYPE = 'bustest.happened.v1';
const ORDERED = [{ type: TYPE, ordered: true }];

const makeEnvelope = ({ runtime }: BusUnderTest, key: string, number = 0, type = TYPE): Envelope => ({
  id: runtime.ids.uuid(),
  source: '/souk/bustest',
  type,
  schema: 'bustest.v1.Happened',
  key,
  time: new Date(runtime.clock.now()).toISOString(),
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  causationId: undefined,
  data: Uint8Array.of(number),
});

const numberOf = ({ envelope }: BusDelivery): number => envelope.data[0] ?? -1;

/** Waits, letting the bus's own waits pass. */
async function until(world: BusUnderTest, what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 2000, `never came: ${what}`);
    await world.pass(10);
  }
}

/** A promise whose state can be asked. */
function watched(promise: Promise<void>): { readonly state: () => 'open' | 'resolved' | 'rejected' } {
  let state: 'open' | 'resolved' | 'rejected' = 'open';
  promise.then(
    () => {
      state = 'resolved';
    },
    () => {
      state = 'rejected';
    },
  );
  return { state: () => state };
}

const cases: Readonly<Record<string, Case>> = {
  'delivers an envelope whole to every subscription that hears its type': async (world) => {
    const { bus } = world;
    const heard: Record<string, Envelope[]> = { first: [], second: [], deaf: [] };
    for (const [name, list] of Object.entries(heard)) {
      const types = name === 'deaf' ? [{ type: 'bustest.other.v1', ordered: true }] : ORDERED;
      bus.subscribe({ name, types, handle: async ({ envelope }) => void list.push(envelope) });
    }
    const envelope = makeEnvelope(world, 'k', 7);
    await bus.publish([envelope]);
    await until(world, 'both', () => heard.first?.length === 1 && heard.second?.length === 1);
    assert.deepEqual({ ...heard.first?.[0], data: [...(heard.first?.[0]?.data ?? [])] }, { ...envelope, data: [7] });
    assert.deepEqual(heard.deaf, []);
  },

  'shares no memory between publisher and consumers': async (world) => {
    const heard: number[] = [];
    for (const name of ['first', 'second']) {
      world.bus.subscribe({
        name,
        types: ORDERED,
        handle: async (delivery) => {
          heard.push(numberOf(delivery));
          delivery.envelope.data.fill(99);
        },
      });
    }
    const envelope = makeEnvelope(world, 'k', 1);
    await world.bus.publish([envelope]);
    await until(world, 'both', () => heard.length === 2);
    assert.deepEqual(heard, [1, 1]);
    assert.deepEqual([...envelope.data], [1]);
  },

  'keeps the order of a key, also when one of its events fails at first': async (world) => {
    const heard = new Map<string, number[]>();
    let failures = 3;
    world.bus.subscribe({
      name: 'listener',
      types: ORDERED,
      handle: async (delivery) => {
        if (numberOf(delivery) === 2 && failures-- > 0) throw errors.BUSY();
        await Promise.resolve();
        const { key } = delivery.envelope;
        heard.set(key, [...(heard.get(key) ?? []), numberOf(delivery)]);
      },
    });
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const keys = ['a', 'b', 'c', 'd'];
    const published = watched(
      world.bus.publish(numbers.flatMap((number) => keys.map((key) => makeEnvelope(world, key, number)))),
    );
    await until(world, 'all', () => published.state() === 'resolved' && [...heard.values()].flat().length === 80);
    for (const key of keys) assert.deepEqual(heard.get(key), numbers, `order of ${key}`);
  },

  'never handles two events of a key at once': async (world) => {
    let running = 0;
    let done = 0;
    world.bus.subscribe({
      name: 'listener',
      types: ORDERED,
      handle: async () => {
        assert.equal(++running, 1);
        await world.pass(1);
        running--;
        done++;
      },
    });
    const published = watched(world.bus.publish([1, 2, 3].map((number) => makeEnvelope(world, 'k', number))));
    await until(world, 'all', () => done === 3 && published.state() !== 'open');
    assert.equal(published.state(), 'resolved');
  },

  'delivers again what was not handled, and says so': async (world) => {
    const deliveries: number[] = [];
    world.bus.subscribe({
      name: 'listener',
      types: ORDERED,
      handle: async ({ delivery }) => {
        deliveries.push(delivery);
        if (deliveries.length < 3) throw errors.BUSY();
      },
    });
    const published = watched(world.bus.publish([makeEnvelope(world, 'k')]));
    await until(world, 'the third', () => deliveries.length === 3 && published.state() === 'resolved');
    assert.deepEqual(deliveries, [1, 2, 3]);
  },

  'a subscription that is stuck keeps no other from hearing': async (world) => {
    const stuck = Promise.withResolvers<void>();
    let heard = 0;
    world.bus.subscribe({ name: 'stuck', types: ORDERED, handle: () => stuck.promise });
    world.bus.subscribe({ name: 'well', types: ORDERED, handle: async () => void heard++ });
    const published = watched(world.bus.publish([1, 2].map((number) => makeEnvelope(world, 'k', number))));
    await until(world, 'the other one', () => heard === 2);
    if (!world.bus.can.durable) assert.equal(published.state(), 'open', 'acknowledged by one of two');
    stuck.resolve();
    await until(world, 'the end', () => published.state() === 'resolved');
  },

  'a key that is stuck keeps unordered events from nothing': async (world) => {
    const stuck = Promise.withResolvers<void>();
    let heard = 0;
    const types = [...ORDERED, { type: 'bustest.loose.v1', ordered: false }];
    const handle = async ({ envelope }: BusDelivery) => (envelope.type === TYPE ? stuck.promise : void heard++);
    world.bus.subscribe({ name: 'listener', types, handle });
    const first = watched(world.bus.publish([makeEnvelope(world, 'k')]));
    const loose = [1, 2, 3].map((number) => makeEnvelope(world, 'k', number, 'bustest.loose.v1'));
    const second = watched(world.bus.publish(loose));
    await until(world, 'the unordered ones', () => heard === 3);
    stuck.resolve();
    await until(world, 'the end', () => first.state() === 'resolved' && second.state() === 'resolved');
  },

  'a closed subscription ends what runs, takes nothing more and loses nothing': async (world) => {
    const running = Promise.withResolvers<void>();
    const handled: number[] = [];
    const active: ActiveSubscription = world.bus.subscribe({
      name: 'listener',
      types: ORDERED,
      handle: async (delivery) => {
        await running.promise;
        handled.push(numberOf(delivery));
      },
    });
    const first = watched(world.bus.publish([makeEnvelope(world, 'k', 1)]));
    const second = watched(world.bus.publish([makeEnvelope(world, 'k', 2)]));
    await world.pass(20);
    const closed = watched(active.close());
    await world.pass(20);
    assert.equal(closed.state(), 'open');
    running.resolve();
    await until(world, 'the close', () => closed.state() === 'resolved');
    assert.deepEqual(handled, [1]);
    const late = watched(world.bus.publish([makeEnvelope(world, 'k', 3)]));
    await world.pass(20);
    assert.equal(first.state(), 'resolved');
    if (!world.bus.can.durable) assert.deepEqual([second.state(), late.state()], ['rejected', 'rejected']);
    assert.deepEqual(handled, [1]);
  },

  'what nobody hears is published all the same': async (world) => {
    await world.bus.publish([makeEnvelope(world, 'k')]);
    await world.bus.publish([]);
  },
};
