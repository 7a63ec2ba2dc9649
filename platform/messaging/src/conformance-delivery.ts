import assert from 'node:assert/strict';
import type { BusDelivery, BusSubscription } from './bus.ts';
import {
  type BusCase,
  keysOf,
  LOOSE_TYPE,
  numberOf,
  ORDERED,
  Record,
  type Scene,
  suiteErrors,
  watched,
} from './conformance-scene.ts';
import type { Envelope } from './envelope.ts';

const listener = (handle: BusSubscription['handle'], more: Partial<BusSubscription> = {}): BusSubscription => ({
  name: 'listener',
  types: ORDERED,
  handle,
  ...more,
});

const plain = (envelope: Envelope | undefined) => ({ ...envelope, data: [...(envelope?.data ?? [])] });

/** All numbers of all keys, keys mixed. */
const mixed = (scene: Scene, keys: readonly string[], perKey: number): Envelope[] =>
  Array.from({ length: perKey }, (_, number) => keys.map((key) => scene.envelope(key, number))).flat();

/** What arrives, and in which order. */
export const deliveryCases: Readonly<{ [title: string]: BusCase }> = {
  'delivers an envelope whole to every subscription that hears its type, and attributes that it does not know': {
    run: async (scene) => {
      const heard = { first: [] as Envelope[], second: [] as Envelope[], deaf: [] as Envelope[] };
      const subscriptions = Object.entries(heard).map(([name, list]) =>
        listener(async ({ envelope }) => void list.push(envelope), {
          name,
          types: name === 'deaf' ? [{ type: 'bustest.other.v1', ordered: true }] : ORDERED,
        }),
      );
      const bus = await scene.start(...subscriptions);
      const bare = scene.envelope('k', 7);
      const full = { ...scene.envelope('k/ä #?', 8), causationId: 'cause-1', extensions: { fromthefuture: 'yes é' } };
      watched(bus.publish([bare, full]));
      await scene.until('both', () => heard.first.length === 2 && heard.second.length === 2);
      for (const list of [heard.first, heard.second]) {
        assert.deepEqual(list.map(plain), [plain(bare), plain(full)]);
      }
      assert.deepEqual(heard.deaf, []);
    },
  },

  'shares no memory between publisher and consumers': {
    run: async (scene) => {
      const heard: number[] = [];
      const spoil = async (delivery: BusDelivery) => {
        heard.push(numberOf(delivery));
        delivery.envelope.data.fill(99);
      };
      const bus = await scene.start(listener(spoil, { name: 'first' }), listener(spoil, { name: 'second' }));
      const envelope = scene.envelope('k', 1);
      watched(bus.publish([envelope]));
      await scene.until('both', () => heard.length === 2);
      assert.deepEqual(heard, [1, 1]);
      assert.deepEqual([...envelope.data], [0, 0, 0, 1]);
    },
  },

  'takes a batch of many keys, and keeps the order of each': {
    run: async (scene) => {
      const record = new Record();
      const bus = await scene.start(listener(async (delivery) => record.add(delivery)));
      const keys = keysOf(20);
      const published = watched(bus.publish(mixed(scene, keys, 25)));
      await scene.until('all', () => record.size === 500 && published.state === 'resolved');
      record.assertComplete(keys, 25);
    },
  },

  'carries a payload of 256 KiB': {
    run: async (scene) => {
      const heard: Envelope[] = [];
      const bus = await scene.start(listener(async ({ envelope }) => void heard.push(envelope)));
      const envelope = scene.envelope('k', 0xabcdef, { bytes: 256 * 1024 });
      watched(bus.publish([envelope]));
      await scene.until('the large one', () => heard.length === 1);
      assert.ok(Buffer.from(heard[0]?.data ?? []).equals(envelope.data));
    },
  },

  'keeps the order of a key, also when one of its events fails at first, and other keys do not wait for it': {
    run: async (scene) => {
      const record = new Record();
      let failures = 0;
      // Until another key is through: some may share a place with this one, never all.
      const othersAreThrough = () => [...record.byKey].some(([key, { length }]) => key !== 'key-0' && length === 20);
      const bus = await scene.start(
        listener(async (delivery) => {
          const isBad = delivery.envelope.key === 'key-0' && numberOf(delivery) === 2;
          if (isBad && (failures < 3 || !othersAreThrough())) {
            failures++;
            throw suiteErrors.BUSY();
          }
          await Promise.resolve();
          record.add(delivery);
        }),
      );
      const keys = keysOf(12);
      const published = watched(bus.publish(mixed(scene, keys, 20)));
      await scene.until('all', () => published.state === 'resolved' && record.size === 240);
      record.assertComplete(keys, 20);
    },
  },

  'keeps the order of a key over calls of publish, with many handled at once': {
    run: async (scene) => {
      const record = new Record();
      const { random, timers } = scene.world.runtime;
      const bus = await scene.start(
        listener(async (delivery) => {
          await timers.sleep(random.next() * 4);
          if (random.next() < 0.1) throw suiteErrors.BUSY();
          record.add(delivery);
        }),
      );
      const keys = keysOf(6);
      const one = async (key: string) => {
        for (let number = 0; number < 8; number++) await scene.publish(bus, [scene.envelope(key, number)]);
      };
      const published = watched(Promise.all(keys.map(one)));
      await scene.until('all', () => published.state === 'resolved' && record.size === 48);
      record.assertComplete(keys, 8);
    },
  },

  'handles one of a key and no more than the concurrency at once': {
    run: async (scene) => {
      const record = new Record();
      const running = new Set<string>();
      let most = 0;
      let overlaps = 0;
      const bus = await scene.start(
        listener(
          async (delivery) => {
            const { key } = delivery.envelope;
            if (running.has(key)) overlaps++;
            running.add(key);
            most = Math.max(most, running.size);
            await scene.world.runtime.timers.sleep(5);
            running.delete(key);
            record.add(delivery);
          },
          { concurrency: 3 },
        ),
      );
      const keys = keysOf(12);
      const published = watched(bus.publish(mixed(scene, keys, 4)));
      await scene.until('all', () => record.size === 48 && published.state === 'resolved');
      assert.equal(overlaps, 0, 'two of a key at once');
      assert.ok(most <= 3, `${most} at once`);
      record.assertComplete(keys, 4);
    },
  },

  'delivers again what was not handled, and says so': {
    run: async (scene) => {
      const deliveries: number[] = [];
      const bus = await scene.start(
        listener(async ({ delivery }) => {
          deliveries.push(delivery);
          if (deliveries.length < 3) throw suiteErrors.BUSY();
        }),
      );
      const published = watched(bus.publish([scene.envelope('k')]));
      await scene.until('the third', () => deliveries.length === 3 && published.state === 'resolved');
      assert.equal(deliveries[0], 1);
      if (bus.can.countsDeliveries || !bus.can.durable) assert.deepEqual(deliveries, [1, 2, 3]);
    },
  },

  'a subscription that is stuck keeps no other from hearing': {
    run: async (scene) => {
      const stuck = Promise.withResolvers<void>();
      let heard = 0;
      const bus = await scene.start(
        listener(() => stuck.promise, { name: 'stuck' }),
        listener(async () => void heard++, { name: 'well' }),
      );
      const published = watched(bus.publish([1, 2].map((number) => scene.envelope('k', number))));
      await scene.until('the other one', () => heard === 2);
      if (!bus.can.durable) assert.equal(published.state, 'open', 'acknowledged by one of two');
      stuck.resolve();
      await scene.until('the end', () => published.state === 'resolved');
    },
  },

  'a key that is stuck keeps unordered events and other keys from nothing': {
    run: async (scene) => {
      const stuck = Promise.withResolvers<void>();
      const heard: string[] = [];
      const types = [...ORDERED, { type: LOOSE_TYPE, ordered: false }];
      const handle = async ({ envelope: { key } }: BusDelivery) =>
        key === 'stuck' ? stuck.promise : void heard.push(key);
      const bus = await scene.start(listener(handle, { types }));
      const first = watched(bus.publish([scene.envelope('stuck')]));
      const loose = [1, 2, 3].map((number) => scene.envelope(`loose-${number}`, number, { type: LOOSE_TYPE }));
      const second = watched(bus.publish([...loose, ...keysOf(8).map((key) => scene.envelope(key))]));
      const isThrough = (prefix: string, count: number) =>
        heard.filter((key) => key.startsWith(prefix)).length >= count;
      await scene.until('the unordered ones', () => isThrough('loose', 3));
      // Some keys may share a place with the stuck one, never all.
      await scene.until('another key', () => isThrough('key', 1));
      stuck.resolve();
      await scene.until(
        'the end',
        () => first.state === 'resolved' && second.state === 'resolved' && heard.length === 11,
      );
    },
  },

  'what nobody hears is published all the same': {
    run: async (scene) => {
      const bus = await scene.start();
      await bus.publish([scene.envelope('k')]);
      await bus.publish([]);
    },
  },
};
