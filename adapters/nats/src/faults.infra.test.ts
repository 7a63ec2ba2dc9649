import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { hasReason, type SoukError, systemRuntime } from '@souk/kernel';
import type { Bus, BusSubscription, Envelope } from '@souk/messaging';
import { natsBroker } from '../../../tests/support/brokers.ts';
import { tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { createNatsBus } from './nats-bus.ts';
import type { NatsBusOptions } from './options.ts';

const runtime = systemRuntime();
const broker = await natsBroker({ shop: 'geheim' });
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

const hear = (handle: (number: number, delivery: number) => Promise<void> | void, types = [TYPE]): BusSubscription => ({
  name: 'listener',
  types: types.map((type) => ({ type, ordered: true })),
  handle: async (one) => handle(one.envelope.data[0] ?? -1, one.delivery),
});

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 1500, `never came: ${what}`);
    await runtime.timers.sleep(10);
  }
}

interface World {
  readonly prefix: string;
  bus(options?: Partial<NatsBusOptions>, port?: number): Bus;
}

/** Buses of a prefix of their own, closed in the end. */
async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const prefix = `faults-${prefixes++}`;
  const buses: Bus[] = [];
  const bus = (options: Partial<NatsBusOptions> = {}, port = broker.port) => {
    const made = createNatsBus({
      urls: [`nats://shop:geheim@127.0.0.1:${port}`],
      runtime,
      prefix,
      partitions: 4,
      ackWaitMs: 600,
      publishMs: 1000,
      ...options,
    });
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
async function asOperator<T>(run: (jsm: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T> {
  const nc = await connect({ servers: `127.0.0.1:${broker.port}`, user: 'shop', pass: 'geheim' });
  try {
    return await run(await jetstreamManager(nc));
  } finally {
    await nc.close();
  }
}

test('a bus starts without its server, says so, and connects when the server is there', () =>
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
    const stranger = bus({ urls: [`nats://shop:wrong-password@127.0.0.1:${broker.port}`] });
    void stranger.start();
    await until('an error', () => stranger.health().lastError !== undefined);
    assert.match(stranger.health().lastError ?? '', /authorization/i);
    assert.doesNotMatch(stranger.health().lastError ?? '', /wrong-password/);
    assert.equal(stranger.health().state, 'connecting');
  }));

test('a full stream refuses events, keeps what it has, and takes them when there is room', () =>
  inWorld(async ({ bus }) => {
    const gate = Promise.withResolvers<void>();
    const heard: number[] = [];
    const only = bus({ maxBytes: 64 * 1024, partitions: 1 });
    only.subscribe(
      hear(async (number) => {
        await gate.promise;
        heard.push(number);
      }),
    );
    await only.start();
    const all = Array.from({ length: 20 }, (_, number) => envelope('k', number, { bytes: 8 * 1024 }));
    await assert.rejects(only.publish(all), (error) => hasReason(error, 'MESSAGING_BUS_FULL'));
    gate.resolve();
    await until('room', () => heard.length > 3);
    for (let tries = 0; tries < 100; tries++) {
      try {
        await only.publish(all);
        break;
      } catch {
        await runtime.timers.sleep(20);
      }
    }
    await until('all', () => heard.includes(19));
    assert.deepEqual(
      heard,
      Array.from({ length: 20 }, (_, number) => number),
      'the server knows duplicates',
    );
  }));

test('an event whose confirmation was lost is published again and heard once', () =>
  inWorld(async ({ bus }) => {
    const heard: number[] = [];
    const wire = await tcpProxy(broker.port);
    const publisher = bus({}, wire.port);
    const listener = bus();
    listener.subscribe(hear((number) => void heard.push(number)));
    await listener.start();
    await publisher.start();
    const event = envelope('k', 1);
    wire.stall('server');
    const first = publisher.publish([event]);
    const refused = assert.rejects(first, (error) => hasReason(error, 'MESSAGING_BUS_UNAVAILABLE'));
    await until('the event', () => heard.length === 1);
    wire.cut();
    await refused;
    wire.flow();
    await until('a connection', () => publisher.health().state === 'connected');
    await publisher.publish([event, envelope('k', 2)]);
    await until('the next', () => heard.includes(2));
    assert.deepEqual(heard, [1, 2]);
    await publisher.close();
    await wire.close();
  }));

test('a handler may take longer than the server waits for an acknowledgement', () =>
  inWorld(async ({ bus }) => {
    let calls = 0;
    const slow = hear(async () => {
      calls++;
      await runtime.timers.sleep(1800);
    });
    const [one, other] = [bus(), bus()];
    for (const each of [one, other]) {
      each.subscribe(slow);
      await each.start();
    }
    await one.publish([envelope('k', 1)]);
    await runtime.timers.sleep(2600);
    assert.equal(calls, 1);
  }));

test('what was handled before a close is not delivered again, and what was not is', () =>
  inWorld(async ({ bus }) => {
    const handled: number[] = [];
    const leaving = bus({ ackWaitMs: 10_000 });
    leaving.subscribe(
      hear(async (number) => {
        await runtime.timers.sleep(30);
        handled.push(number);
      }),
    );
    await leaving.start();
    await leaving.publish(Array.from({ length: 60 }, (_, number) => envelope(`k${number % 6}`, number)));
    await until('some', () => handled.length > 10);
    await leaving.close();
    assert.ok(handled.length < 60, 'the close came too late');
    const next = bus();
    next.subscribe(hear((number) => void handled.push(number)));
    await next.start();
    await until('all', () => handled.length >= 60);
    await runtime.timers.sleep(100);
    assert.equal(handled.length, new Set(handled).size, 'something was handled twice');
  }));

test('consumers that were deleted are made again', () =>
  inWorld(async ({ bus, prefix }) => {
    const heard: number[] = [];
    const only = bus();
    only.subscribe(hear((number) => void heard.push(number)));
    await only.start();
    await asOperator((jsm) =>
      Promise.all([0, 1, 2, 3].map((partition) => jsm.consumers.delete(prefix, `listener-${partition}`))),
    );
    await until('the loss', () => only.health().lastError !== undefined);
    await until('a connection', () => only.health().state === 'connected');
    await only.publish([envelope('k', 1)]);
    await until('the event', () => heard.length === 1);
  }));

test('a stream that was deleted is made again, and publishing waits for the other groups', () =>
  inWorld(async ({ bus, prefix }) => {
    const heard: number[] = [];
    const [publisher, listener] = [bus({ recoverMs: 6000 }), bus()];
    listener.subscribe(hear((number) => void heard.push(number)));
    await listener.start();
    await publisher.start();
    await publisher.publish([envelope('k', 1)]);
    await until('the first', () => heard.length === 1);
    await asOperator((jsm) => jsm.streams.delete(prefix));
    const event = envelope('k', 2);
    const refusals = new Set<string>();
    for (let tries = 0; tries < 1000; tries++) {
      try {
        await publisher.publish([event]);
        break;
      } catch (error) {
        refusals.add((error as SoukError).reason);
        await runtime.timers.sleep(20);
      }
    }
    await until('the event after it', () => heard.includes(2));
    assert.ok(refusals.has('NATS_STREAM_GONE'), [...refusals].join());
  }));

test('another number of partitions is refused, and the error says what to do', () =>
  inWorld(async ({ bus }) => {
    await bus({ partitions: 4 }).start();
    const other = bus({ partitions: 8 });
    void other.start();
    await until('an error', () => other.health().lastError !== undefined);
    assert.match(other.health().lastError ?? '', /events in 4 partitions.*events in 8 partitions/);
  }));

test('a process that does not know a new type of its group leaves it to one that does', () =>
  inWorld(async ({ bus }) => {
    const news = 'faults.news.v1';
    const heard: number[] = [];
    const old = bus();
    old.subscribe(hear((number) => void heard.push(number)));
    await old.start();
    const young = bus();
    young.subscribe(hear((number) => void heard.push(number), [TYPE, news]));
    await young.start();
    const events = [1, 2, 3, 4].map((number) => envelope(`k${number}`, number, { type: news }));
    await old.publish(events);
    await until('all', () => heard.length === 4);
    assert.deepEqual(heard.toSorted(), [1, 2, 3, 4]);
  }));

test('a server that freezes refuses nothing it has confirmed, and goes on', () =>
  inWorld(async ({ bus }) => {
    const heard: number[] = [];
    const only = bus();
    only.subscribe(hear((number) => void heard.push(number)));
    await only.start();
    await broker.freeze(true);
    const event = envelope('k', 1);
    await assert.rejects(only.publish([event]), (error) => hasReason(error, 'MESSAGING_BUS_UNAVAILABLE'));
    await broker.freeze(false);
    await only.publish([event, envelope('k', 2)]);
    await until('both', () => heard.includes(2));
    assert.deepEqual(heard, [1, 2]);
  }));

test('a bus whose server is frozen can be closed', () =>
  inWorld(async ({ bus }) => {
    const only = bus();
    only.subscribe(hear(() => {}));
    await only.start();
    await broker.freeze(true);
    try {
      const begunMs = runtime.clock.monotonicMs();
      await only.close();
      const tookMs = runtime.clock.monotonicMs() - begunMs;
      assert.ok(tookMs < 8000, `${tookMs} ms`);
    } finally {
      await broker.freeze(false);
    }
  }));

test('a server that its operator restarts loses nothing', () =>
  inWorld(async ({ bus }) => {
    const heard: number[] = [];
    const only = bus();
    const gate = Promise.withResolvers<void>();
    only.subscribe(
      hear(async (number) => {
        await gate.promise;
        heard.push(number);
      }),
    );
    await only.start();
    await only.publish(Array.from({ length: 20 }, (_, number) => envelope('k', number)));
    await broker.stop();
    await until('the loss', () => only.health().state === 'connecting');
    gate.resolve();
    await broker.start();
    await until('all', () => new Set(heard).size === 20);
    assert.deepEqual(
      [...new Set(heard)],
      Array.from({ length: 20 }, (_, number) => number),
    );
  }));
