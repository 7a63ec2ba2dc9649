import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isSoukError } from '@souk/kernel';
import type { BusSubscription } from './bus.ts';
import { type BusCase, keysOf, numberOf, ORDERED, Record, type Scene, watched } from './conformance-scene.ts';

const listener = (handle: BusSubscription['handle'], more: Partial<BusSubscription> = {}): BusSubscription => ({
  name: 'listener',
  types: ORDERED,
  handle,
  ...more,
});

/** Bytes this process holds after a collection. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What the first one finalizes, the second one frees.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const MIB = 1024 * 1024;

/** Who takes how much, and when. */
export const flowCases: Readonly<{ [title: string]: BusCase }> = {
  'a paused subscription takes nothing and loses nothing': {
    run: async (scene) => {
      const record = new Record();
      const { bus } = scene;
      const active = bus.subscribe(listener(async (delivery) => record.add(delivery), { concurrency: 2 }));
      await bus.start();
      const keys = keysOf(4);
      const publish = (number: number) =>
        watched(
          scene.publish(
            bus,
            keys.map((key) => scene.envelope(key, number)),
          ),
        );
      const before = publish(0);
      await scene.until('what came before', () => record.size === 4 && before.state === 'resolved');
      active.pause();
      const during = publish(1);
      await scene.world.pass(150);
      assert.equal(record.size, 4);
      active.resume();
      const after = publish(2);
      await scene.until('the rest', () => record.size === 12);
      await scene.until('the end', () => during.state === 'resolved' && after.state === 'resolved');
      record.assertComplete(keys, 3);
    },
  },

  'what runs when a subscription is paused comes to its end': {
    run: async (scene) => {
      const gate = Promise.withResolvers<void>();
      const handled: number[] = [];
      const { bus } = scene;
      let begun = 0;
      const active = bus.subscribe(
        listener(async (delivery) => {
          begun++;
          await gate.promise;
          handled.push(numberOf(delivery));
        }),
      );
      await bus.start();
      const published = watched(bus.publish([scene.envelope('k', 1), scene.envelope('k', 2)]));
      await scene.until('the first to begin', () => begun === 1);
      active.pause();
      gate.resolve();
      await scene.until('the first', () => handled.length >= 1);
      await scene.world.pass(100);
      assert.deepEqual(handled, [1]);
      active.resume();
      await scene.until('the second', () => handled.length === 2 && published.state === 'resolved');
    },
  },

  'a closed subscription ends what runs, takes nothing more and loses nothing': {
    run: async (scene) => {
      const running = Promise.withResolvers<void>();
      const handled: number[] = [];
      const { bus } = scene;
      let begun = 0;
      const active = bus.subscribe(
        listener(async (delivery) => {
          begun++;
          await running.promise;
          handled.push(numberOf(delivery));
        }),
      );
      await bus.start();
      const first = watched(bus.publish([scene.envelope('k', 1)]));
      const second = watched(bus.publish([scene.envelope('k', 2)]));
      await scene.until('the first', () => begun === 1);
      const closed = watched(active.close());
      await scene.world.pass(20);
      assert.equal(closed.state, 'open');
      running.resolve();
      await scene.until('the close', () => closed.state === 'resolved');
      assert.deepEqual(handled, [1]);
      const late = watched(bus.publish([scene.envelope('k', 3)]));
      await scene.until('an answer to all', () => [first, second, late].every(({ state }) => state !== 'open'));
      assert.equal(first.state, 'resolved');
      const expected = bus.can.durable ? 'resolved' : 'rejected';
      assert.deepEqual([second.state, late.state], [expected, expected]);
      assert.deepEqual(handled, [1]);
    },
  },

  'a group that was away hears what was published meanwhile': {
    needs: ['durable', 'crossProcess'],
    run: async (scene) => {
      const record = new Record();
      const hear = listener(async (delivery) => record.add(delivery));
      const bus = await scene.start();
      const first = await scene.client([hear]);
      await bus.publish([scene.envelope('k', 0)]);
      await scene.until('the first', () => record.size === 1);
      await first.close();
      for (const number of [1, 2, 3]) await bus.publish([scene.envelope('k', number)]);
      assert.equal(record.size, 1);
      await scene.client([hear]);
      await scene.until('the rest', () => record.size === 4);
      record.assertComplete(['k'], 4);
    },
  },

  'processes of one group share its events and run no key twice at once': {
    needs: ['crossProcess'],
    run: async (scene) => {
      const record = new Record();
      const running = new Set<string>();
      let overlaps = 0;
      const hear = listener(async (delivery) => {
        const { key } = delivery.envelope;
        if (running.has(key)) overlaps++;
        running.add(key);
        await scene.world.runtime.timers.sleep(2);
        running.delete(key);
        record.add(delivery);
      });
      const others = new Record();
      const bus = await scene.start();
      await scene.client([hear, listener(async (delivery) => others.add(delivery), { name: 'others' })]);
      await scene.client([hear]);
      const keys = keysOf(10);
      for (let number = 0; number < 15; number++) {
        await scene.publish(
          bus,
          keys.map((key) => scene.envelope(key, number)),
        );
        // In the middle a third one joins.
        if (number === 7) await scene.client([hear]);
      }
      await scene.until('all', () => record.size === 150 && others.size === 150);
      record.assertComplete(keys, 15);
      others.assertComplete(keys, 15);
      assert.equal(overlaps, 0, 'two of a key at once');
    },
  },

  'a process that closes leaves its events to the others of its group': {
    needs: ['crossProcess', 'durable'],
    run: async (scene) => {
      const record = new Record();
      const hear = listener(async (delivery) => {
        await scene.world.runtime.timers.sleep(2);
        record.add(delivery);
      });
      const bus = await scene.start();
      const leaving = await scene.client([hear]);
      await scene.client([hear]);
      const keys = keysOf(8);
      const published = (async () => {
        for (let number = 0; number < 20; number++) {
          await scene.publish(
            bus,
            keys.map((key) => scene.envelope(key, number)),
          );
          if (number === 10) await leaving.close();
        }
      })();
      await published;
      await scene.until('all', () => record.size === 160);
      record.assertComplete(keys, 20);
    },
  },

  'a consumer that is stuck neither blocks publishers for ever nor fills the memory': {
    run: async (scene) => {
      const gate = Promise.withResolvers<void>();
      const record = new Record();
      let running = 0;
      let most = 0;
      const bus = await scene.start(
        listener(
          async (delivery) => {
            most = Math.max(most, ++running);
            await gate.promise;
            running--;
            record.add(delivery);
          },
          { concurrency: 4 },
        ),
      );
      if (bus.can.durable) await fillsNothing(scene);
      else await refusesInTheEnd(scene);
      assert.ok(most <= 4, `${most} at once`);
      gate.resolve();
    },
  },

  'says that it is connected, and that it is closed': {
    run: async (scene) => {
      const bus = await scene.start();
      await scene.until('a connection', () => bus.health().state === 'connected');
      assert.ok(bus.health().sinceMs >= 0);
      await bus.close();
      assert.equal(bus.health().state, 'closed');
      assert.deepEqual(bus.can, scene.bus.can);
    },
  },

  'keeps order and loses nothing when the broker is slow': {
    faults: ['slow'],
    run: async (scene) => {
      const record = new Record();
      const bus = await scene.start(listener(async (delivery) => record.add(delivery)));
      await scene.world.slow?.(40);
      const keys = keysOf(3);
      await Promise.all(
        keys.map(async (key) => {
          for (let number = 0; number < 5; number++) await scene.publish(bus, [scene.envelope(key, number)]);
        }),
      );
      await scene.until('all', () => record.size === 15);
      record.assertComplete(keys, 5);
      await scene.world.slow?.(0);
    },
  },
};

/** The broker has them; this process must not. */
async function fillsNothing(scene: Scene): Promise<void> {
  const before = heldBytes();
  for (let batch = 0; batch < 32; batch++) {
    await scene.bus.publish(
      Array.from({ length: 8 }, (_, index) => scene.envelope(`key-${index}-${batch}`, batch, { bytes: 128 * 1024 })),
    );
  }
  await scene.world.pass(300);
  const grownMib = (heldBytes() - before) / MIB;
  assert.ok(grownMib < 12, `${grownMib.toFixed(1)} MiB held of the 32 that were published`);
}

async function refusesInTheEnd({ bus, envelope, world }: Scene): Promise<void> {
  const calls = Array.from({ length: 20_000 }, (_, index) => watched(bus.publish([envelope(`key-${index % 50}`)])));
  await world.pass(10);
  const refused = calls.filter(({ state }) => state === 'rejected');
  assert.ok(refused.length > 0, 'everything was taken');
  for (const { error } of refused.slice(0, 5)) assert.ok(isSoukError(error) && error.code === 'resource_exhausted');
}
