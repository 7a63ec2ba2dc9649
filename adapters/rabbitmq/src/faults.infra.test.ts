import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasReason, systemRuntime } from '@souk/kernel';
import type { Bus, BusSubscription, Envelope } from '@souk/messaging';
import { Connection } from 'rabbitmq-client';
import { rabbitmqBroker } from '../../../tests/support/brokers.ts';
import { tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import type { RabbitmqBusOptions } from './options.ts';
import { createRabbitmqBus } from './rabbitmq-bus.ts';

const runtime = systemRuntime();
const broker = await rabbitmqBroker();
before(() => broker.start());
after(() => broker.close());

let prefixes = 0;
const TYPE = 'faults.happened.v1';

const envelope = (key: string, number: number, { type = TYPE, bytes = 1 } = {}): Envelope => ({
  id: runtime.ids.uuid(),
  source: '/souk/faults',
  type,
  schema: 'faults.v1.Happened',
  key,
  time: new Date(runtime.clock.now()).toISOString(),
  traceparent: '',
  causationId: undefined,
  data: new Uint8Array(bytes).fill(number),
});

const hear = (handle: (number: number, delivery: number) => Promise<void> | void): BusSubscription => ({
  name: 'listener',
  types: [{ type: TYPE, ordered: true }],
  handle: async (one) => handle(one.envelope.data[0] ?? -1, one.delivery),
});

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 2500, `never came: ${what}`);
    await runtime.timers.sleep(10);
  }
}

/** As an outbox does. */
async function publishUntilTaken(bus: Bus, envelopes: readonly Envelope[], refusals = new Set<string>()) {
  for (let tries = 0; ; tries++) {
    try {
      return await bus.publish(envelopes);
    } catch (error) {
      assert.ok(tries < 2000, String(error));
      refusals.add((error as { reason: string }).reason);
      await runtime.timers.sleep(30);
    }
  }
}

interface World {
  readonly prefix: string;
  bus(options?: Partial<RabbitmqBusOptions>, port?: number): Bus;
}

/** Buses of a prefix of their own, closed in the end. */
async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const prefix = `faults-${prefixes++}`;
  const buses: Bus[] = [];
  const bus = (options: Partial<RabbitmqBusOptions> = {}, port = broker.port) => {
    const url = `amqp://guest:guest@127.0.0.1:${port}`;
    const made = createRabbitmqBus({ url, runtime, prefix, partitions: 2, publishMs: 1500, ...options });
    buses.push(made);
    return made;
  };
  try {
    await run({ prefix, bus });
  } finally {
    await Promise.all(buses.map((one) => one.close()));
  }
}

/** What an operator can do. */
async function asOperator<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection(`amqp://guest:guest@127.0.0.1:${broker.port}`);
  try {
    return await run(connection);
  } finally {
    await connection.close();
  }
}

test('a bus starts without its broker, says so, and connects when the broker is there', () =>
  inWorld(async ({ bus }) => {
    const wire = await tcpProxy(broker.port);
    wire.refuse(true);
    const alone = bus({}, wire.port);
    const begunMs = runtime.clock.monotonicMs();
    await alone.start();
    const tookMs = runtime.clock.monotonicMs() - begunMs;
    assert.ok(tookMs > 4000 && tookMs < 7000, `${tookMs} ms`);
    assert.equal(alone.health().state, 'connecting');
    assert.ok(alone.health().lastError);
    await assert.rejects(alone.publish([envelope('k', 1)]), (error) => hasReason(error, 'MESSAGING_BUS_UNAVAILABLE'));
    wire.refuse(false);
    await until('a connection', () => alone.health().state === 'connected');
    await alone.publish([envelope('k', 1)]);
    await alone.close();
    await wire.close();
  }));

test('wrong credentials are named in the health, without the password', () =>
  inWorld(async ({ bus }) => {
    const stranger = bus({ url: `amqp://guest:wrong-password@127.0.0.1:${broker.port}` });
    void stranger.start();
    await until('an error', () => stranger.health().lastError !== undefined);
    assert.match(stranger.health().lastError ?? '', /ACCESS_REFUSED/);
    assert.doesNotMatch(stranger.health().lastError ?? '', /wrong-password/);
    assert.equal(stranger.health().state, 'connecting');
  }));

test('a full queue refuses events, keeps what it has, and takes them when there is room', () =>
  inWorld(async ({ bus }) => {
    const gate = Promise.withResolvers<void>();
    const heard: number[] = [];
    const only = bus({ maxLength: 5, partitions: 1 });
    only.subscribe(
      hear(async (number) => {
        await gate.promise;
        if (!heard.includes(number)) heard.push(number);
      }),
    );
    await only.start();
    const all = Array.from({ length: 80 }, (_, number) => envelope('k', number));
    await assert.rejects(only.publish(all), (error) => hasReason(error, 'RABBITMQ_REJECTED'));
    gate.resolve();
    await publishUntilTaken(only, all);
    await until('all', () => heard.length === 80);
    assert.deepEqual(
      heard,
      Array.from({ length: 80 }, (_, number) => number),
    );
  }));

test('a broker short of memory blocks publishers: they are refused, told why, and go on when it has recovered', () =>
  inWorld(async ({ bus }) => {
    const heard = new Set<number>();
    const only = bus();
    only.subscribe(hear((number) => void heard.add(number)));
    await only.start();
    await only.publish([envelope('k', 0)]);
    await broker.evaluate('vm_memory_monitor', 'set_vm_memory_high_watermark', '[0.0]');
    const refusals = new Set<string>();
    try {
      // The alarm comes a moment after the order.
      for (let tries = 0; tries < 200 && !refusals.has('RABBITMQ_BLOCKED'); tries++) {
        await only.publish([envelope('k', 2)]).catch((error) => refusals.add(error.reason));
        await runtime.timers.sleep(20);
      }
      const taken = publishUntilTaken(only, [envelope('k', 1)], refusals);
      assert.ok(refusals.has('RABBITMQ_BLOCKED'), [...refusals].join());
      assert.match(only.health().lastError ?? '', /blocks publishers/);
      assert.equal(only.health().state, 'connected');
      await until('acknowledgements go on', () => heard.has(0));
      await broker.evaluate('vm_memory_monitor', 'set_vm_memory_high_watermark', '[0.9]');
      await taken;
      await until('the event', () => heard.has(1));
      assert.equal(only.health().lastError, undefined);
    } finally {
      await broker.evaluate('vm_memory_monitor', 'set_vm_memory_high_watermark', '[0.9]');
    }
  }));

test('an event whose confirmation was lost is published again and heard, in order', () =>
  inWorld(async ({ bus }) => {
    const heard: number[] = [];
    const wire = await tcpProxy(broker.port);
    const publisher = bus({ publishMs: 5000 }, wire.port);
    const listener = bus();
    listener.subscribe(hear((number) => void heard.push(number)));
    await listener.start();
    await publisher.start();
    const event = envelope('k', 1);
    wire.stall('server');
    const refused = assert.rejects(publisher.publish([event]), (error) =>
      hasReason(error, 'MESSAGING_BUS_UNAVAILABLE'),
    );
    await until('the event', () => heard.length === 1);
    wire.cut();
    await refused;
    wire.flow();
    await until('a connection', () => publisher.health().state === 'connected');
    await publisher.publish([event, envelope('k', 2)]);
    await until('the next', () => heard.includes(2));
    assert.deepEqual(heard, [1, 1, 2]);
    await publisher.close();
    await wire.close();
  }));

test('what was handled before a close is not delivered again, and what was not is, in order', () =>
  inWorld(async ({ bus }) => {
    const handled: number[] = [];
    const leaving = bus();
    leaving.subscribe(
      hear(async (number) => {
        await runtime.timers.sleep(30);
        handled.push(number);
      }),
    );
    await leaving.start();
    await leaving.publish(Array.from({ length: 60 }, (_, number) => envelope(`k${number % 2}`, number)));
    await until('some', () => handled.length > 4);
    await leaving.close();
    assert.ok(handled.length < 60, 'the close came too late');
    const next = bus();
    next.subscribe(hear((number) => void handled.push(number)));
    await next.start();
    await until('all', () => handled.length >= 60);
    await runtime.timers.sleep(100);
    assert.equal(handled.length, new Set(handled).size, 'something was handled twice');
    for (const rest of [0, 1]) {
      const ofKey = handled.filter((number) => number % 2 === rest);
      assert.deepEqual(
        ofKey,
        ofKey.toSorted((a, b) => a - b),
      );
    }
  }));

test('an event that runs when the connection is lost is not started a second time in the same process', () =>
  inWorld(async ({ bus }) => {
    const gate = Promise.withResolvers<void>();
    const started: number[] = [];
    const wire = await tcpProxy(broker.port);
    const only = bus({}, wire.port);
    only.subscribe(
      hear(async (number) => {
        started.push(number);
        if (number === 1) await gate.promise;
      }),
    );
    await only.start();
    await only.publish([envelope('k', 1), envelope('k', 2)]);
    await until('the first', () => started.length === 1);
    wire.cut();
    await until('the loss', () => only.health().lastError !== undefined);
    await until('a connection', () => only.health().state === 'connected');
    await runtime.timers.sleep(200);
    assert.deepEqual(started, [1]);
    gate.resolve();
    await until('the second', () => started.length === 2);
    await runtime.timers.sleep(100);
    assert.deepEqual(started, [1, 2]);
    await only.close();
    await wire.close();
  }));

test('an event that nobody hears is taken; one whose queues were lost is kept until they are back', () =>
  inWorld(async ({ bus, prefix }) => {
    const heard: number[] = [];
    const publisher = bus();
    await publisher.start();
    await publisher.publish([envelope('k', 0)]);
    const listener = bus();
    listener.subscribe(hear((number) => void heard.push(number)));
    await listener.start();
    await publisher.publish([envelope('k', 1)]);
    await until('the first', () => heard.length === 1);
    await listener.close();
    await asOperator((one) =>
      Promise.all([0, 1].map((partition) => one.queueDelete(`${prefix}.listener.${partition}`))),
    );
    const refusals = new Set<string>();
    const taken = publishUntilTaken(publisher, [envelope('k', 2)], refusals);
    await until('a refusal', () => refusals.has('RABBITMQ_QUEUES_GONE'));
    const again = bus();
    again.subscribe(hear((number) => void heard.push(number)));
    await again.start();
    await taken;
    await until('the second', () => heard.length === 2);
    assert.deepEqual(heard, [1, 2]);
  }));

test('a type whose last group was removed on purpose counts as heard by nobody after a while', () =>
  inWorld(async ({ bus, prefix }) => {
    const publisher = bus({ recoverMs: 300 });
    const listener = bus();
    listener.subscribe(hear(() => {}));
    await listener.start();
    await publisher.start();
    await publisher.publish([envelope('k', 1)]);
    await listener.close();
    await asOperator((one) =>
      Promise.all([0, 1].map((partition) => one.queueDelete(`${prefix}.listener.${partition}`))),
    );
    await assert.rejects(publisher.publish([envelope('k', 2)]), (error) => hasReason(error, 'RABBITMQ_QUEUES_GONE'));
    await runtime.timers.sleep(350);
    await publisher.publish([envelope('k', 2)]);
  }));

test('queues that are deleted under a consumer are declared again', () =>
  inWorld(async ({ bus, prefix }) => {
    const heard: number[] = [];
    const only = bus();
    only.subscribe(hear((number) => void heard.push(number)));
    await only.start();
    await asOperator((one) =>
      Promise.all([0, 1].map((partition) => one.queueDelete(`${prefix}.listener.${partition}`))),
    );
    await until('the loss', () => only.health().lastError !== undefined);
    await until('a connection', () => only.health().state === 'connected');
    await publishUntilTaken(only, [envelope('k', 1)]);
    await until('the event', () => heard.length === 1);
  }));

test('a queue with other properties is refused, and the error says what to do', () =>
  inWorld(async ({ bus }) => {
    const first = bus({ maxLength: 100 });
    first.subscribe(hear(() => {}));
    await first.start();
    const other = bus({ maxLength: 200 });
    other.subscribe(hear(() => {}));
    void other.start();
    await until('an error', () => other.health().lastError !== undefined);
    assert.match(other.health().lastError ?? '', /listener\.0 exists with other properties.*x-max-length/);
  }));

test('an event that kills its consumers too often goes to the dead queue, and the next of its key goes on', () =>
  inWorld(async ({ bus, prefix }) => {
    const never = new Promise<void>(() => {});
    const deliveries: number[] = [];
    const heard: number[] = [];
    const options = { deliveryLimit: 2, partitions: 1 };
    const publisher = bus(options);
    await publisher.start();
    let published = false;
    for (let round = 0; round < 3; round++) {
      const wire = await tcpProxy(broker.port);
      const doomed = createRabbitmqBus({
        ...{ url: `amqp://guest:guest@127.0.0.1:${wire.port}`, runtime, prefix },
        ...options,
      });
      doomed.subscribe(
        hear((_, delivery) => {
          deliveries.push(delivery);
          return never;
        }),
      );
      await doomed.start();
      if (!published) await publisher.publish([envelope('k', 1)]);
      published = true;
      await until('the delivery', () => deliveries.length === round + 1);
      wire.refuse(true);
      wire.cut();
      void doomed.close();
      await wire.close();
    }
    assert.deepEqual(deliveries, [1, 2, 3]);
    const sound = bus(options);
    sound.subscribe(hear((number) => void heard.push(number)));
    await sound.start();
    await sound.publish([envelope('k', 2)]);
    await until('the next', () => heard.length === 1);
    assert.deepEqual(heard, [2]);
    const dead = await asOperator(async (one) => {
      for (let tries = 0; tries < 100; tries++) {
        const message = await one.basicGet({ queue: `${prefix}.dead`, noAck: true });
        if (message !== undefined) return message;
        await runtime.timers.sleep(50);
      }
      return undefined;
    });
    assert.equal(dead?.headers?.cloudEvents_type, TYPE);
  }));

test('a broker that is killed, and one that its operator restarts, while events flow loses nothing and reorders no key', () =>
  inWorld(async ({ bus }) => {
    const heard = new Map<string, number[]>();
    const [publisher, listener] = [bus(), bus()];
    const seen = new Set<string>();
    listener.subscribe({
      name: 'listener',
      types: [{ type: TYPE, ordered: true }],
      handle: async ({ envelope: { id, key, data } }) => {
        await runtime.timers.sleep(2);
        if (seen.has(id)) return;
        seen.add(id);
        heard.set(key, [...(heard.get(key) ?? []), data[0] ?? -1]);
      },
    });
    await listener.start();
    await publisher.start();
    // Until the queues are on disk; see the README.
    await runtime.timers.sleep(3500);
    const keys = ['a', 'b', 'c'];
    const faults = (async () => {
      await runtime.timers.sleep(300);
      await broker.kill();
      await broker.start();
      await runtime.timers.sleep(1500);
      await broker.stop();
      await broker.start();
    })();
    let over = false;
    void faults.finally(() => {
      over = true;
    });
    const counts = await Promise.all(
      keys.map(async (key) => {
        let number = 0;
        for (; !over || number < 50; number++) {
          await publishUntilTaken(publisher, [envelope(key, number % 250)]);
          await runtime.timers.sleep(60);
        }
        return number;
      }),
    );
    await faults;
    await until('all', () => keys.every((key, index) => heard.get(key)?.length === counts[index]));
    for (const [index, key] of keys.entries()) {
      assert.deepEqual(
        heard.get(key),
        Array.from({ length: counts[index] ?? 0 }, (_, number) => number % 250),
      );
    }
  }));
