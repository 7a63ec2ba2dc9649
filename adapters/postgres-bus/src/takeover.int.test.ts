import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { after, type TestContext, test } from 'node:test';
import { envelopeOf, hear, numberOf, startServer, until, type World } from '../test/bus-world.ts';

const server = await startServer();
after(() => server.stop());

const WORKER = new URL('../test/worker.ts', import.meta.url).pathname;

interface Begun {
  readonly key: string;
  readonly number: number;
  readonly delivery: number;
}

/** A consumer in a process of its own. */
async function startWorker(t: TestContext, world: World, handlerMs: number, leaseMs: number) {
  const child: ChildProcess = spawn(process.execPath, [WORKER, world.url, String(handlerMs), String(leaseMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await until(world.runtime, 'a worker', () => text.includes('listens'));
  return {
    signal: (name: NodeJS.Signals) => void child.kill(name),
    begun: (): Begun[] =>
      [...text.matchAll(/begins (\S+) (\d+) (\d+)\n/g)].map(([, key = '', number, delivery]) => ({
        key,
        number: Number(number),
        delivery: Number(delivery),
      })),
  };
}

async function waiting(world: World): Promise<number> {
  const { rows } = await world.db.at(world.ctx).query<{ n: number }>('SELECT count(*)::int AS n FROM souk.bus_event');
  return rows[0]?.n ?? 0;
}

async function emptied(world: World): Promise<void> {
  await until(world.runtime, 'an empty queue', async () => (await waiting(world)) === 0);
}

test('five seconds after a kill -9 others have all of its events, and know that they were delivered', async (t) => {
  const world = await server.world();
  const { runtime } = world;
  t.after(() => world.close());
  const worker = await startWorker(t, world, 60_000, 3600);
  const { bus } = world.client({ leaseMs: 3600 });
  await bus.start();
  const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`);
  for (const number of [0, 1]) await bus.publish(keys.map((key) => envelopeOf(runtime, key, number)));
  await until(runtime, 'all heads in its hands', () => worker.begun().length === keys.length);

  const heard = new Map<string, number[]>();
  const deliveries: number[] = [];
  bus.subscribe(
    hear(async ({ envelope, delivery }) => {
      heard.set(envelope.key, [...(heard.get(envelope.key) ?? []), numberOf(envelope)]);
      if (numberOf(envelope) === 0) deliveries.push(delivery);
    }),
  );
  worker.signal('SIGKILL');
  const killedMs = runtime.clock.monotonicMs();
  await until(runtime, 'all events', () => [...heard.values()].flat().length === 2 * keys.length);
  const tookMs = runtime.clock.monotonicMs() - killedMs;
  t.diagnostic(`all heard after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 5000, String(tookMs));
  for (const key of keys) assert.deepEqual(heard.get(key), [0, 1]);
  assert.deepEqual(
    deliveries,
    keys.map(() => 2),
  );
  await emptied(world);
  await bus.close();
});

test('a process that was stopped and goes on after its slots were taken removes nothing and begins nothing', async (t) => {
  const world = await server.world();
  const { runtime } = world;
  t.after(() => world.close());
  const worker = await startWorker(t, world, 100, 1200);
  const { bus } = world.client();
  await bus.start();
  const keys = Array.from({ length: 4 }, (_, index) => `key-${index}`);
  for (let number = 0; number < 10; number++) {
    await bus.publish(keys.map((key) => envelopeOf(runtime, key, number)));
  }
  // In the middle of the second of each: stopped while it begins one, it would go on to begin it.
  await until(runtime, 'some work', () => worker.begun().length === 2 * keys.length);
  await runtime.timers.sleep(20);
  worker.signal('SIGSTOP');

  const gate = Promise.withResolvers<void>();
  const heard = new Map<string, number[]>();
  bus.subscribe(
    hear(async ({ envelope }) => {
      heard.set(envelope.key, [...(heard.get(envelope.key) ?? []), numberOf(envelope)]);
      await gate.promise;
    }),
  );
  await until(runtime, 'a takeover', () => heard.size === keys.length);
  const [before, begunBefore] = [await waiting(world), worker.begun().length];
  worker.signal('SIGCONT');
  // Its handlers have ended, and it has said so, in this time.
  await runtime.timers.sleep(600);
  assert.deepEqual([await waiting(world), worker.begun().length], [before, begunBefore]);

  gate.resolve();
  await emptied(world);
  for (const key of keys) {
    const own = worker.begun().filter((one) => one.key === key);
    const all = new Set([...own.map(({ number }) => number), ...(heard.get(key) ?? [])]);
    assert.equal(all.size, 10, `events of ${key}`);
  }
  await bus.close();
});

test('a process that closes hands over at once', async (t) => {
  const world = await server.world();
  const { runtime } = world;
  t.after(() => world.close());
  const heard = { first: 0, second: 0 };
  const [publisher, first, second] = [
    world.client(),
    world.client({ leaseMs: 60_000 }),
    world.client({ leaseMs: 60_000 }),
  ];
  first.bus.subscribe(hear(async () => void heard.first++));
  second.bus.subscribe(hear(async () => void heard.second++));
  await Promise.all([publisher, first, second].map(({ bus }) => bus.start()));
  const publish = (from: number) =>
    publisher.bus.publish(Array.from({ length: 64 }, (_, index) => envelopeOf(runtime, `key-${from + index}`, 0)));
  await publish(0);
  await until(runtime, 'all', () => heard.first + heard.second === 64);
  await first.bus.close();
  const before = heard.second;
  const closedMs = runtime.clock.monotonicMs();
  await publish(100);
  await until(runtime, 'all of the second half', () => heard.second - before === 64);
  assert.ok(runtime.clock.monotonicMs() - closedMs < 1500);
  await Promise.all([publisher.bus.close(), second.bus.close()]);
});

test('while consumers join and leave nothing is lost, no key is turned round, and nothing comes twice', async (t) => {
  const world = await server.world();
  const { runtime } = world;
  t.after(() => world.close());
  const [sources, keys, perKey] = [16, 20, 12];
  const heard = new Map<string, number[]>();
  const seen = new Set<string>();
  const running = new Set<string>();
  let [overlaps, repeats] = [0, 0];
  const handle = async ({ envelope }: Parameters<Parameters<typeof hear>[0]>[0]) => {
    const lane = `${envelope.source}#${envelope.key}`;
    if (running.has(lane)) overlaps++;
    running.add(lane);
    await runtime.timers.sleep(runtime.random.next() * 20);
    running.delete(lane);
    if (seen.has(envelope.id)) {
      repeats++;
      return;
    }
    seen.add(envelope.id);
    heard.set(lane, [...(heard.get(lane) ?? []), numberOf(envelope)]);
  };
  const consumer = async (more = {}) => {
    const client = world.client({ leaseMs: 3600 });
    client.bus.subscribe(hear(handle, more));
    await client.bus.start();
    return client.bus;
  };
  const publishers = [world.client().bus, world.client().bus];
  await Promise.all(publishers.map((bus) => bus.start()));
  const [first, second] = [await consumer(), await consumer()];
  let published = 0;
  const publishAll = Array.from({ length: sources }, async (_, source) => {
    const bus = publishers[source % 2] as (typeof publishers)[0];
    for (let number = 0; number < perKey; number++) {
      const batch = Array.from({ length: keys }, (_, key) =>
        envelopeOf(runtime, `hot-${key}`, number, `/souk/${source}`),
      );
      await bus.publish(batch);
      published += keys;
      await runtime.timers.sleep(runtime.random.next() * 40);
    }
  });
  const total = sources * keys * perKey;
  await until(runtime, 'a quarter', () => published > total / 4);
  const third = await consumer();
  await until(runtime, 'a half', () => published > total / 2);
  await first.close();
  const fourth = await consumer();
  await until(runtime, 'three quarters', () => published > (3 * total) / 4);
  await second.close();
  await Promise.all(publishAll);
  await until(runtime, 'all', () => seen.size === total, 60_000);
  const inOrder = Array.from({ length: perKey }, (_, number) => number);
  for (const [lane, numbers] of heard) assert.deepEqual(numbers, inOrder, lane);
  assert.deepEqual([heard.size, overlaps, repeats], [sources * keys, 0, 0]);
  await emptied(world);
  await Promise.all([...publishers, third, fourth].map((bus) => bus.close()));
});
