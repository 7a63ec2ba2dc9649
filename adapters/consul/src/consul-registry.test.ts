import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAINING, type Instance, type Registration, type Registry, UP } from '@souk/discovery';
import { registrySuite } from '@souk/discovery/conformance';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import { directClient, type FakeConsul, fakeConsul } from '../test/fake-consul.ts';
import { registryOver } from './consul-registry.ts';
import { consulErrors } from './errors.ts';
import type { Answer, Call, HttpClient } from './http-client.ts';
import { toSettings } from './options.ts';

const settingsFor = (runtime: ReturnType<typeof virtualRuntime>) =>
  toSettings({ url: 'http://fake:8500', runtime, log: silentLogger });

function world() {
  const runtime = virtualRuntime();
  const consul = fakeConsul(runtime);
  const clients = new Map<Registry, ReturnType<typeof directClient>>();
  const dead = new Set<HttpClient>();
  let allCut = false;
  const cutAll = () => {
    for (const client of clients.values()) client.cut();
  };
  return {
    runtime,
    consul,
    can: { registers: true, crossProcess: true },
    registry: () => {
      const client = directClient(consul, (one) => allCut || dead.has(one));
      const registry = registryOver(client, settingsFor(runtime));
      clients.set(registry, client);
      return registry;
    },
    pass: (ms: number) => runtime.advance(ms),
    kill: async (registry: Registry) => {
      const client = clients.get(registry);
      if (client === undefined) return;
      dead.add(client);
      client.cut();
    },
    interrupt: async () => {
      allCut = true;
      cutAll();
    },
    restore: async () => {
      allCut = false;
    },
    loseMemory: async () => consul.forget(),
  };
}

registrySuite('consul, in virtual time', async () => world());

const registration = (id = 'orders-1', incarnation = '1'): Registration => ({
  id,
  service: 'orders',
  address: '10.0.0.1',
  port: 8080,
  protocol: 'http',
  version: '1',
  zone: '',
  weight: 1,
  tags: [],
  meta: {},
  incarnation,
});

interface Scene {
  readonly runtime: ReturnType<typeof virtualRuntime>;
  readonly consul: FakeConsul;
  readonly registry: Registry;
  readonly told: (readonly Instance[])[];
  /** Takes the place of what the fake answers, until it returns undefined. */
  answer: ((call: Call) => Answer | undefined) | undefined;
}

function scene(): Scene {
  const runtime = virtualRuntime();
  const consul = fakeConsul(runtime);
  const direct = directClient(consul, () => false);
  const told: (readonly Instance[])[] = [];
  const client: HttpClient = {
    ...direct,
    send: async (call) => made.answer?.(call) ?? direct.send(call),
  };
  const registry = registryOver(client, settingsFor(runtime));
  const made: Scene = { runtime, consul, registry, told, answer: undefined };
  return made;
}

const watch = ({ registry, told }: Scene) => registry.watch('orders', (instances) => told.push(instances));

const answerOf = (status: number, text: string, index?: string, retryAfterMs?: number): Answer => ({
  status,
  text,
  index,
  retryAfterMs,
});

const questions = ({ consul }: Scene): number =>
  consul.calls.filter((call) => call.startsWith('GET /v1/health')).length;

test('a heartbeat is sent at least every third of the time to live, and one that is alive never expires', async () => {
  const made = scene();
  await made.registry.register(registration(), UP);
  watch(made);
  await made.runtime.advance(600_000);
  const beats = made.consul.calls.filter((call) => call.startsWith('PUT /v1/agent/check/pass')).length;
  assert.ok(beats >= 120 && beats <= 150, `${beats} heartbeats in 600 s`);
  assert.equal(made.told.length, 1);
});

test('a service to which nothing happens is asked for once in the time of a question', async () => {
  const made = scene();
  watch(made);
  await made.runtime.advance(600_000);
  assert.ok(questions(made) <= 22, `${questions(made)} questions in 600 s`);
});

test('an answer without an index, or that never moves on, is asked for once a second at most', async () => {
  for (const index of [undefined, '0', 'soon', '-1', '7']) {
    const made = scene();
    let asked = 0;
    made.answer = (call) => {
      if (!call.path.startsWith('/v1/health')) return undefined;
      asked++;
      return answerOf(200, '[]', index);
    };
    watch(made);
    await made.runtime.advance(60_000);
    assert.ok(asked < 130, `index ${index}: ${asked} questions in 60 s`);
    assert.ok(asked > 20);
    assert.equal(made.told.length, 1);
  }
});

test('after trouble, and after an index that goes back, all is asked for from the beginning', async () => {
  const made = scene();
  const seen: (string | undefined)[] = [];
  const script = [
    answerOf(200, '[]', '50'),
    answerOf(500, 'no leader'),
    answerOf(200, '[]', '60'),
    answerOf(200, '[]', '3'),
  ];
  made.answer = (call) => {
    if (!call.path.startsWith('/v1/health')) return undefined;
    seen.push(call.query?.index);
    return script.shift();
  };
  watch(made);
  await made.runtime.advance(20_000);
  assert.deepEqual(seen.slice(0, 5), [undefined, '50', undefined, '60', undefined]);
});

test('nonsense is reported and survived, and what was known stays', async () => {
  const nonsense = [
    answerOf(200, '<html>Sign in</html>', '20'),
    answerOf(200, '', '20'),
    answerOf(200, '{"a":', '20'),
    answerOf(200, 'null', '20'),
    answerOf(200, '{}', '20'),
    answerOf(200, '[1]', '20'),
    answerOf(200, '[{}]', '20'),
    answerOf(200, '[{"Service":{"ID":"a","Service":"orders","Port":"80"}}]', '20'),
    answerOf(200, '[{"Service":{"ID":"a","Service":"orders","Port":80,"Meta":{"a":1}}}]', '20'),
    answerOf(200, '[{"Service":{"ID":"a","Service":"orders","Port":80},"Checks":[1]}]', '20'),
    answerOf(302, ''),
    answerOf(404, 'page not found'),
    answerOf(403, 'Permission denied'),
    answerOf(503, 'no leader'),
  ];
  for (const wrong of nonsense) {
    const made = scene();
    await made.registry.register(registration(), UP);
    watch(made);
    await made.runtime.settle();
    assert.equal(made.told.length, 1);
    made.answer = (call) => (call.path.startsWith('/v1/health') ? wrong : undefined);
    await made.runtime.advance(60_000);
    const { state, lastError } = made.registry.health();
    assert.equal(state, 'connecting', wrong.text);
    assert.match(lastError ?? '', /^the registry at fake:8500 answered the question for orders/);
    made.answer = undefined;
    await made.runtime.advance(20_000);
    assert.equal(made.registry.health().state, 'connected');
    assert.equal(made.told.length, 1);
  }
});

test('a registry that asks for patience is given it', async () => {
  const made = scene();
  let asked = 0;
  made.answer = () => {
    asked++;
    return answerOf(429, 'too many requests', undefined, 30_000);
  };
  watch(made);
  await made.runtime.advance(89_000);
  assert.equal(asked, 3);
});

test('while it fails, questions come ever more slowly', async () => {
  const made = scene();
  let asked = 0;
  made.answer = () => {
    asked++;
    return answerOf(500, 'broken');
  };
  watch(made);
  await made.runtime.advance(600_000);
  assert.ok(asked > 200 && asked < 410, `${asked} questions in 600 s`);
});

test('every way to say that a check is unknown makes it register again', async () => {
  const ways = [
    answerOf(404, 'Unknown check ID "x"'),
    answerOf(500, 'CheckID "x" does not have associated TTL'),
    answerOf(500, 'Unknown check "x"'),
  ];
  for (const way of ways) {
    const made = scene();
    await made.registry.register(registration(), UP);
    const before = made.consul.calls.filter((call) => call.endsWith('/register')).length;
    let once = true;
    made.answer = (call) => {
      if (!once || !call.path.includes('/check/pass/')) return undefined;
      once = false;
      return way;
    };
    await made.runtime.advance(6000);
    assert.equal(made.consul.calls.filter((call) => call.endsWith('/register')).length, before + 1);
  }
});

test('what the registry refuses for good is thrown, and nothing more is sent', async () => {
  const made = scene();
  let sent = 0;
  made.answer = () => {
    sent++;
    return answerOf(403, 'Permission denied: token with AccessorID lacks permission');
  };
  await assert.rejects(made.registry.register(registration(), UP), (error: Error) => {
    assert.match(error.message, /orders-1 of orders: 403 Permission denied/);
    return true;
  });
  await made.runtime.advance(60_000);
  assert.equal(sent, 1);
  await made.registry.close();
});

test('a registration while the registry is away resolves after five seconds, and is made when it is back', async () => {
  const made = scene();
  made.answer = () => {
    throw consulErrors.UNREACHABLE({ server: 'fake:8500', why: 'connect ECONNREFUSED' });
  };
  const [registered] = await Promise.all([made.registry.register(registration(), UP), made.runtime.advance(5000)]);
  assert.match(made.registry.health().lastError ?? '', /ECONNREFUSED/);
  await Promise.all([registered.update(DRAINING), made.runtime.advance(5000)]);
  assert.deepEqual(made.consul.ids(), []);
  made.answer = undefined;
  await made.runtime.advance(6000);
  assert.deepEqual(made.consul.ids(), ['orders-1']);
  watch(made);
  await made.runtime.settle();
  assert.equal(made.told.at(-1)?.[0]?.terminating, true);
});

test('an earlier run neither beats for a later one nor takes it out', async () => {
  const { runtime, consul, registry: make } = world();
  const [first, second] = [make(), make()];
  const earlier = await first.register(registration('orders-1', '1'), UP);
  await second.register(registration('orders-1', '2'), UP);
  await runtime.advance(60_000);
  const before = consul.calls.length;
  await earlier.update(DRAINING);
  await earlier.deregister();
  assert.deepEqual(consul.ids(), ['orders-1']);
  // It looks who holds the id, and that is all.
  assert.ok(consul.calls.slice(before).every((call) => call.startsWith('GET')));
  await Promise.all([first.close(), second.close()]);
  assert.deepEqual(consul.ids(), []);
});

test('an earlier run that goes on does not keep a later one alive that has died', async () => {
  const { runtime, registry: make, kill } = world();
  const [first, second, third] = [make(), make(), make()];
  await first.register(registration('orders-1', '1'), UP);
  await second.register(registration('orders-1', '2'), UP);
  let last: readonly Instance[] = [];
  third.watch('orders', (instances) => {
    last = instances;
  });
  await runtime.advance(1000);
  assert.equal(last[0]?.ready, true);
  await kill(second);
  await runtime.advance(20_000);
  assert.equal(last[0]?.ready, false);
});

test('an instance that an operator puts into maintenance takes no new work, and its heartbeats do not end that', async () => {
  const made = scene();
  await made.registry.register(registration(), UP);
  watch(made);
  await made.runtime.settle();
  made.consul.setMaintenance('orders-1', true);
  await made.runtime.advance(60_000);
  const found = made.told.at(-1)?.[0];
  assert.deepEqual([found?.ready, found?.serving, found?.terminating], [false, true, false]);
  made.consul.setMaintenance('orders-1', false);
  await made.runtime.settle();
  assert.equal(made.told.at(-1)?.[0]?.ready, true);
});

test('a closed registry has taken its instances out, ends its questions and leaves no timer', async () => {
  const made = scene();
  await made.registry.register(registration(), UP);
  await made.registry.register(registration('orders-2'), UP);
  watch(made);
  await made.runtime.advance(1000);
  await made.registry.close();
  await made.registry.close();
  assert.deepEqual(made.consul.ids(), []);
  const before = made.consul.calls.length;
  await made.runtime.advance(60_000);
  assert.equal(made.consul.calls.length, before);
  assert.equal(made.runtime.pendingTimers, 0);
});
