import assert from 'node:assert/strict';
import { defineErrors, type Runtime } from '@souk/kernel';
import type { Bus, BusCapabilities, BusDelivery, BusSubscription } from './bus.ts';
import type { Envelope } from './envelope.ts';

/** A broker under test, and the faults that can be made to happen to it. */
export interface BusWorld {
  readonly runtime: Runtime;
  /** A new client of the same broker, as another process would have; not started. Without `can.crossProcess`, always the same one. */
  bus(): Bus;
  /** Lets waits pass: moves a virtual clock on, or sleeps. Milliseconds. */
  pass(ms: number): Promise<void>;
  /** Ends a client as `kill -9` would: its connections break, what it was handling is not acknowledged. It is not used again. */
  kill?(bus: Bus): Promise<void>;
  /** Resolves when the broker accepts connections again. */
  restartBroker?(): Promise<void>;
  /** Breaks all connections of all clients once. */
  cutConnections?(): Promise<void>;
  /** From now on each exchange with the broker takes so much longer. Milliseconds. */
  slow?(ms: number): Promise<void>;
  close?(): Promise<void>;
}

export type Fault = 'kill' | 'restartBroker' | 'cutConnections' | 'slow';

export interface BusCase {
  readonly needs?: readonly (keyof BusCapabilities)[];
  readonly faults?: readonly Fault[];
  run(scene: Scene): Promise<void>;
}

export const suiteErrors = defineErrors('BUSTEST', {
  BUSY: { code: 'unavailable', text: 'not now', retry: 'later' },
  REFUSED: { code: 'failed_precondition', text: 'not with {what}' },
});

export const TYPE = 'bustest.happened.v1';
export const LOOSE_TYPE = 'bustest.loose.v1';
export const ORDERED = [{ type: TYPE, ordered: true }];

/** Written into the first four bytes of an envelope. */
export const numberOf = ({ envelope }: BusDelivery): number => Buffer.from(envelope.data).readUInt32BE(0);

/** A promise whose state can be asked. */
export interface Watched {
  readonly state: 'open' | 'resolved' | 'rejected';
  readonly error: unknown;
}

export function watched(promise: Promise<unknown>): Watched {
  const seen: { state: Watched['state']; error: unknown } = { state: 'open', error: undefined };
  promise.then(
    () => {
      seen.state = 'resolved';
    },
    (error) => {
      seen.state = 'rejected';
      seen.error = error;
    },
  );
  return seen;
}

export interface Scene {
  readonly world: BusWorld;
  /** The client that all cases have; subscribe, then `start` it. */
  readonly bus: Bus;
  /** Another process, subscribed before it starts; the same client when the bus stays in one. */
  client(subscriptions?: readonly BusSubscription[]): Promise<Bus>;
  /** Subscribes the first client and starts it. */
  start(...subscriptions: readonly BusSubscription[]): Promise<Bus>;
  kill(bus: Bus): Promise<void>;
  envelope(key: string, number?: number, more?: { readonly type?: string; readonly bytes?: number }): Envelope;
  /** Publishes as an outbox does: the same again until it is taken. Resolves when it is. */
  publish(bus: Bus, envelopes: readonly Envelope[]): Promise<void>;
  until(what: string, condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Steps of 10 ms that anything may take. */
const PATIENCE = 4000;

export function createScene(world: BusWorld): Scene {
  const { runtime } = world;
  const bus = world.bus();
  const clients = new Set<Bus>([bus]);
  const subscribeAll = async (client: Bus, subscriptions: readonly BusSubscription[]): Promise<Bus> => {
    for (const subscription of subscriptions) client.subscribe(subscription);
    await client.start();
    return client;
  };
  let over = false;
  return {
    world,
    bus,
    client: (subscriptions = []) => {
      const client = bus.can.crossProcess ? world.bus() : bus;
      clients.add(client);
      return subscribeAll(client, subscriptions);
    },
    start: (...subscriptions) => subscribeAll(bus, subscriptions),
    kill: async (client) => {
      clients.delete(client);
      await world.kill?.(client);
    },
    envelope: (key, number = 0, { type = TYPE, bytes = 4 } = {}) => {
      const data = Buffer.alloc(bytes, number & 0xff);
      data.writeUInt32BE(number);
      return {
        id: runtime.ids.uuid(),
        source: '/souk/bustest',
        type,
        schema: 'bustest.v1.Happened',
        key,
        time: new Date(runtime.clock.now()).toISOString(),
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        causationId: undefined,
        data: new Uint8Array(data),
      };
    },
    publish: async (client, envelopes) => {
      while (!over) {
        try {
          return await client.publish(envelopes);
        } catch {
          await runtime.timers.sleep(50);
        }
      }
    },
    until: async (what, condition) => {
      for (let tries = 0; !condition(); tries++) {
        assert.ok(tries < PATIENCE, `never came: ${what}`);
        await world.pass(10);
      }
    },
    close: async () => {
      over = true;
      const closed = watched(Promise.all([...clients].map((client) => client.close())));
      for (let tries = 0; closed.state === 'open' && tries < PATIENCE; tries++) await world.pass(10);
      await world.close?.();
      assert.equal(closed.state, 'resolved', 'all clients close');
    },
  };
}

/** What was handled, as an inbox sees it: only the first of equal events counts. */
export class Record {
  readonly byKey = new Map<string, number[]>();
  readonly #seen = new Set<string>();
  total = 0;

  add(delivery: BusDelivery): void {
    const { id, key } = delivery.envelope;
    this.total++;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    this.byKey.set(key, [...(this.byKey.get(key) ?? []), numberOf(delivery)]);
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Each key has the numbers from 0 to `perKey - 1`, in order. */
  assertComplete(keys: readonly string[], perKey: number): void {
    const numbers = Array.from({ length: perKey }, (_, index) => index);
    for (const key of keys) assert.deepEqual(this.byKey.get(key), numbers, `events of ${key}`);
  }
}

export const keysOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `key-${index}`);
