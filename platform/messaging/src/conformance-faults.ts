import assert from 'node:assert/strict';
import type { BusSubscription } from './bus.ts';
import { type BusCase, keysOf, numberOf, ORDERED, Record, type Scene } from './conformance-scene.ts';

const PER_KEY = 40;
const KEYS = keysOf(5);

/** Publishes and handles all through `fault`, which comes in the middle. */
async function surviving(scene: Scene, fault: () => Promise<void>): Promise<void> {
  const { timers } = scene.world.runtime;
  const record = new Record();
  const hear: BusSubscription = {
    name: 'listener',
    types: ORDERED,
    handle: async (delivery) => {
      await timers.sleep(3);
      record.add(delivery);
    },
  };
  const bus = await scene.start();
  await scene.client([hear]);
  const half = Promise.withResolvers<void>();
  const publishAll = Promise.all(
    KEYS.map(async (key) => {
      for (let number = 0; number < PER_KEY; number++) {
        if (number === PER_KEY / 2) half.resolve();
        await scene.publish(bus, [scene.envelope(key, number)]);
      }
    }),
  );
  await half.promise;
  await fault();
  await publishAll;
  await scene.until('all', () => record.size === KEYS.length * PER_KEY);
  record.assertComplete(KEYS, PER_KEY);
  await scene.until('a connection', () => bus.health().state === 'connected');
}

/** What breaks, and what is nevertheless not lost. */
export const faultCases: Readonly<{ [title: string]: BusCase }> = {
  'what a killed consumer was handling goes to another of its group, and keys keep their order': {
    needs: ['crossProcess', 'durable'],
    faults: ['kill'],
    run: async (scene) => {
      const never = new Promise<void>(() => {});
      const record = new Record();
      let hung = 0;
      const deliveries: number[] = [];
      const bus = await scene.start();
      const doomed = await scene.client([
        {
          name: 'listener',
          types: ORDERED,
          handle: () => {
            hung++;
            return never;
          },
        },
      ]);
      for (let number = 0; number < 10; number++) {
        await scene.publish(
          bus,
          KEYS.map((key) => scene.envelope(key, number)),
        );
      }
      await scene.until('something in its hands', () => hung > 0);
      await scene.client([
        {
          name: 'listener',
          types: ORDERED,
          handle: async (delivery) => {
            if (numberOf(delivery) === 0) deliveries.push(delivery.delivery);
            record.add(delivery);
          },
        },
      ]);
      await scene.kill(doomed);
      await scene.until('all', () => record.size === 50);
      record.assertComplete(KEYS, 10);
      if (bus.can.countsDeliveries) assert.ok(Math.max(...deliveries) > 1, `deliveries: ${deliveries}`);
    },
  },

  'a broker that is restarted loses nothing and reorders no key': {
    needs: ['durable'],
    faults: ['restartBroker'],
    run: (scene) => surviving(scene, async () => scene.world.restartBroker?.()),
  },

  'connections that are cut lose nothing and reorder no key': {
    needs: ['durable'],
    faults: ['cutConnections'],
    run: (scene) =>
      surviving(scene, async () => {
        await scene.world.cutConnections?.();
        await scene.world.pass(200);
        await scene.world.cutConnections?.();
      }),
  },

  'an event published twice is heard once or twice, and never not': {
    run: async (scene) => {
      const record = new Record();
      const bus = await scene.start({ name: 'listener', types: ORDERED, handle: async (one) => record.add(one) });
      const envelope = scene.envelope('k', 0);
      const both = [bus.publish([envelope]), bus.publish([envelope])];
      const last = scene.envelope('k', 1);
      const all = Promise.all([...both, bus.publish([last])]);
      await scene.until('all', () => record.size === 2);
      await all;
      assert.ok(record.total >= 2 && record.total <= 3);
      record.assertComplete(['k'], 2);
    },
  },
};
