import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LogFields, type Logger, rootContext, silentLogger, virtualRuntime } from '@souk/kernel';
import { createRegistry } from '@souk/telemetry';
import fc from 'fast-check';
import { createDirectory, type DirectoryOptions } from './directory.ts';
import { DRAINING, type Instance, type Registration, UP } from './instance.ts';
import { toInstance } from './instance-set.ts';
import { createMemoryHub } from './memory-hub.ts';
import { createMemoryRegistry } from './memory-registry.ts';
import type { Registry, RegistryHealth, ServiceView } from './registry.ts';
import { type CacheFiles, createViewCache } from './view-cache.ts';

const registration = (service: string, number: number): Registration => ({
  id: `${service}-${number}`,
  service,
  address: '127.0.0.1',
  port: 8080 + number,
  protocol: 'http',
  version: '1',
  zone: '',
  weight: 1,
  tags: [],
  meta: {},
  incarnation: `${number}`,
});

/** A disk that a test can look at. */
function memoryFiles(text?: string): CacheFiles & { text: string | undefined; writes: number; broken: boolean } {
  const files = {
    text,
    writes: 0,
    broken: false,
    read: async () => {
      if (files.text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return files.text;
    },
    replace: async (_path: string, next: string) => {
      if (files.broken) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      files.writes++;
      files.text = next;
    },
  };
  return files;
}

function recordingLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const add = (message: string, fields?: LogFields) => void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Logger = { debug: () => {}, info: add, warn: add, error: add, with: () => log };
  return { log, lines };
}

function scene(options: Partial<DirectoryOptions> = {}) {
  const runtime = virtualRuntime();
  const hub = createMemoryHub({ runtime, ttlMs: 15_000 });
  const servers = createMemoryRegistry({ runtime, hub });
  const registry = createMemoryRegistry({ runtime, hub });
  const directory = createDirectory({ registry, runtime, log: silentLogger, ...options });
  const views: ServiceView[] = [];
  return {
    runtime,
    hub,
    servers,
    registry,
    directory,
    views,
    ctx: (timeoutMs?: number) => rootContext({ runtime, timeoutMs }),
    listen: (service = 'orders') => directory.onChange(service, (view) => views.push(view)),
    register: (service: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, at) => servers.register(registration(service, at), UP))),
    ids: (service = 'orders') => directory.view(service)?.instances.map(({ id }) => id),
  };
}

test('nothing is known before the registry has spoken, and then what it says', async () => {
  const { runtime, directory, register, ids } = scene();
  await register('orders', 2);
  assert.equal(directory.view('orders'), undefined);
  await runtime.settle();
  assert.deepEqual(ids(), ['orders-0', 'orders-1']);
  assert.equal(directory.view('orders')?.source, 'registry');
  directory.view('unknown');
  await runtime.settle();
  assert.deepEqual(ids('unknown'), []);
});

test('many listeners share one watch, and a closed one hears nothing', async () => {
  const { runtime, registry, servers } = scene();
  let watches = 0;
  const counting = {
    ...registry,
    watch: (...given: Parameters<typeof registry.watch>) => {
      watches++;
      return registry.watch(...given);
    },
  };
  const directory = createDirectory({ registry: counting, runtime, log: silentLogger });
  const heard = [0, 0, 0];
  const listen = (at: number) => directory.onChange('orders', () => void heard[at]!++);
  listen(0);
  const closing = listen(1);
  await runtime.settle();
  closing.close();
  await servers.register(registration('orders', 1), UP);
  await runtime.settle();
  listen(2);
  await runtime.settle();
  assert.deepEqual(heard, [2, 1, 1]);
  assert.equal(watches, 1);
});

test('a listener that throws harms no other', async () => {
  const { runtime, directory, views, listen } = scene();
  directory.onChange('orders', () => {
    throw new Error('broken');
  });
  listen();
  await runtime.settle();
  assert.equal(views.length, 1);
});

test('while the registry is out of reach what it said last is kept, and listeners are told of it', async () => {
  const { runtime, hub, directory, register, views, listen, ids } = scene();
  await register('orders', 2);
  listen();
  await runtime.settle();
  hub.interrupt();
  await runtime.advance(600_000);
  assert.deepEqual(ids(), ['orders-0', 'orders-1']);
  assert.equal(directory.view('orders')?.source, 'kept');
  assert.equal(directory.health().registry.state, 'connecting');
  hub.resume();
  await runtime.advance(30_000);
  assert.deepEqual(ids(), ['orders-0', 'orders-1']);
  assert.deepEqual(
    views.map(({ source, instances }) => [source, instances.length]),
    [
      ['registry', 2],
      ['kept', 2],
      ['registry', 2],
    ],
  );
});

test('a registry that comes back without its memory takes nobody out, however few there are', async () => {
  const { runtime, hub, register, views, listen } = scene();
  await register('orders', 2);
  listen();
  await runtime.advance(60_000);
  hub.loseMemory();
  await runtime.advance(60_000);
  for (const { instances } of views) assert.equal(instances.length, 2);
  assert.equal(views.at(-1)?.source, 'registry');
});

test('the first service that hears from a registry without its memory keeps its instances, though others have no answer yet', async () => {
  const runtime = virtualRuntime();
  let state: RegistryHealth['state'] = 'connected';
  let turnedMs = runtime.clock.monotonicMs();
  const turn = (to: RegistryHealth['state']): void => {
    state = to;
    turnedMs = runtime.clock.monotonicMs();
  };
  let tell: (instances: readonly Instance[]) => void = () => {};
  const registry: Registry = {
    name: 'slow',
    register: () => assert.fail('not asked for'),
    watch: (_service, listener) => {
      tell = listener;
      return { close: () => {} };
    },
    health: () => ({ state, sinceMs: runtime.clock.monotonicMs() - turnedMs, lastError: undefined }),
    close: async () => {},
  };
  const directory = createDirectory({ registry, runtime, log: silentLogger });
  directory.view('orders');
  tell([1, 2].map((number) => toInstance(registration('orders', number), UP)));
  await runtime.advance(60_000);
  turn('connecting');
  await runtime.advance(2000);
  tell([]);
  await runtime.advance(10_000);
  assert.equal(directory.view('orders')?.instances.length, 2);
  turn('connected');
  await runtime.advance(30_000);
  assert.equal(directory.view('orders')?.instances.length, 0);
  await directory.close();
});

test('one that really died during an outage is gone 20 s after it', async () => {
  const { runtime, hub, registry, register, listen, ids, directory } = scene();
  await register('orders', 2);
  const doomed = createMemoryRegistry({ runtime, hub });
  await doomed.register(registration('orders', 7), UP);
  listen();
  await runtime.advance(1000);
  hub.interrupt();
  await runtime.advance(30_000);
  await doomed.close();
  hub.resume();
  await runtime.advance(19_000);
  assert.deepEqual(ids(), ['orders-0', 'orders-1', 'orders-7']);
  await runtime.advance(2000);
  assert.deepEqual(ids(), ['orders-0', 'orders-1']);
  assert.equal(directory.view('orders')?.source, 'registry');
  assert.equal(registry.health().state, 'connected');
});

test('when nearly all instances of all services expire at once they are kept for a minute, logged and counted once', async () => {
  const { log, lines } = recordingLog();
  const telemetry = createRegistry();
  const { runtime, hub, servers, directory, register, ids } = scene({ log, metrics: telemetry.view({}) });
  for (const service of ['orders', 'payments', 'users']) {
    await register(service, 2);
    directory.view(service);
  }
  await runtime.advance(1000);
  hub.interrupt(servers);
  await runtime.advance(20_000);
  for (const service of ['orders', 'payments', 'users']) {
    assert.equal(ids(service)?.length, 2);
    assert.equal(directory.view(service)?.source, 'kept');
  }
  assert.equal(lines.filter((line) => line.startsWith('nearly all instances vanished')).length, 1);
  const text = telemetry.exposition();
  assert.match(text, /souk_discovery_mass_expiry_total 1/);
  assert.match(text, /souk_discovery_kept_instances 6/);
  assert.notEqual(directory.health().massExpiryForMs, undefined);
  await runtime.advance(60_000);
  assert.deepEqual(ids(), []);
  assert.equal(directory.health().massExpiryForMs, undefined);
});

test('instances that drain and go are gone at once', async () => {
  const { runtime, register, listen, ids } = scene();
  const all = await register('orders', 8);
  listen();
  await runtime.settle();
  for (const one of all) await one.update(DRAINING);
  for (const one of all) await one.deregister();
  await runtime.settle();
  assert.deepEqual(ids(), []);
});

test('whenKnown waits for the first word, and no longer than allowed', async () => {
  const { runtime, hub, directory, register, ctx } = scene();
  hub.interrupt();
  const limited = directory.whenKnown(ctx(), 'orders');
  const hurried = directory.whenKnown(ctx(1000), 'orders');
  const canceled = new AbortController();
  const gone = directory.whenKnown(rootContext({ runtime, signal: canceled.signal }), 'orders');
  const failures = Promise.all([
    assert.rejects(limited, { reason: 'DISCOVERY_NOT_KNOWN_YET' }),
    assert.rejects(hurried, { reason: 'SOUK_DEADLINE_EXCEEDED' }),
    assert.rejects(gone, { reason: 'SOUK_CANCELED' }),
  ]);
  canceled.abort();
  await runtime.advance(5000);
  await failures;
  const waiting = directory.whenKnown(ctx(), 'orders');
  hub.resume();
  assert.equal((await waiting).instances.length, 0);
  await register('orders', 1);
  await runtime.settle();
  assert.equal((await directory.whenKnown(ctx(), 'orders')).instances.length, 1);
});

test('a thousand waits that are given up leave no timer behind', async () => {
  const { runtime, hub, directory } = scene();
  hub.interrupt();
  directory.view('orders');
  const before = runtime.pendingTimers;
  const controller = new AbortController();
  const ctx = rootContext({ runtime, signal: controller.signal });
  const waits = Array.from({ length: 1000 }, () => directory.whenKnown(ctx, 'orders').catch(() => {}));
  controller.abort();
  await Promise.all(waits);
  assert.equal(runtime.pendingTimers, before);
});

test('a start without a registry uses what an earlier run has kept, and the registry’s own word as soon as it comes', async () => {
  const files = memoryFiles();
  const first = scene({ cacheFile: 'cache.json', files });
  await first.register('orders', 2);
  await first.directory.whenKnown(first.ctx(), 'orders');
  await first.directory.close();

  const second = scene({ cacheFile: 'cache.json', files });
  second.hub.interrupt();
  second.listen();
  await second.runtime.advance(999);
  assert.equal(second.directory.view('orders'), undefined);
  const known = await Promise.all([second.directory.whenKnown(second.ctx(), 'orders'), second.runtime.advance(1)]);
  assert.equal(known[0].source, 'disk');
  assert.deepEqual(second.ids(), ['orders-0', 'orders-1']);
  assert.equal(second.directory.health().services.orders?.source, 'disk');
  second.hub.resume();
  await second.runtime.settle();
  assert.deepEqual(second.ids(), []);
  assert.equal(second.directory.view('orders')?.source, 'registry');
});

test('a slow disk does not take the place of what the registry has said meanwhile', async () => {
  const text = Promise.withResolvers<string>();
  const files = { ...memoryFiles(), read: () => text.promise };
  const old = { ...registration('orders', 9), ...UP };
  const { runtime, hub, directory, register, ids } = scene({ cacheFile: 'cache.json', files });
  hub.interrupt();
  directory.view('orders');
  await runtime.advance(2000);
  hub.resume();
  await register('orders', 1);
  await runtime.settle();
  text.resolve(JSON.stringify({ format: 1, services: { orders: [old] } }));
  await runtime.settle();
  assert.deepEqual(ids(), ['orders-0']);
});

test('the cache is written once for many changes, and keeps services that this run did not ask for', async () => {
  const files = memoryFiles();
  const first = scene({ cacheFile: 'cache.json', files });
  for (const service of ['orders', 'users']) {
    first.directory.view(service);
    await first.register(service, 3);
  }
  await first.runtime.advance(1000);
  assert.equal(files.writes, 1);
  const second = scene({ cacheFile: 'cache.json', files });
  await second.register('orders', 1);
  await second.directory.whenKnown(second.ctx(), 'orders');
  await second.runtime.advance(1000);
  const { services } = JSON.parse(files.text ?? '');
  assert.deepEqual([services.orders.length, services.users.length], [1, 3]);
});

test('any garbage in the cache is left out and said', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map((orders) => JSON.stringify({ format: 1, services: { orders } })),
        fc.jsonValue().map((one) => JSON.stringify({ format: 1, services: { orders: [one] } })),
      ),
      async (text) => {
        const { runtime, hub, directory, ctx } = scene({ cacheFile: 'cache.json', files: memoryFiles(text) });
        hub.interrupt();
        directory.view('orders');
        await runtime.advance(2000);
        assert.equal(directory.view('orders'), undefined);
        hub.resume();
        assert.equal((await directory.whenKnown(ctx(), 'orders')).source, 'registry');
        await directory.close();
      },
    ),
    { numRuns: 100 },
  );
  const { runtime, directory } = scene({ cacheFile: 'cache.json', files: memoryFiles('<html>') });
  await runtime.settle();
  assert.equal(directory.health().cacheError, 'it is not JSON');
});

test('a disk that is full is said once and stops nothing', async () => {
  const files = memoryFiles();
  files.broken = true;
  const { log, lines } = recordingLog();
  const { runtime, directory, register } = scene({ cacheFile: 'cache.json', files, log });
  directory.view('orders');
  for (let times = 0; times < 3; times++) {
    await (await register('orders', 1))[0]?.deregister();
    await runtime.advance(25_000);
  }
  assert.equal(lines.filter((line) => line.includes('cannot be cached')).length, 1);
  assert.equal(directory.health().cacheError, 'no space left');
  files.broken = false;
  await register('orders', 1);
  await runtime.advance(2000);
  assert.equal(directory.health().cacheError, undefined);
});

test('the cache on disk is one whole file, and survives a directory that is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-discovery-'));
  const cacheFile = join(folder, 'made', 'cache.json');
  const first = scene({ cacheFile });
  await first.register('orders', 2);
  await first.directory.whenKnown(first.ctx(), 'orders');
  await first.directory.close();
  assert.deepEqual(await readdir(join(folder, 'made')), ['cache.json']);
  const second = scene({ cacheFile });
  second.hub.interrupt();
  while (second.directory.view('orders') === undefined) await second.runtime.advance(1000);
  assert.deepEqual(second.ids(), ['orders-0', 'orders-1']);
  await second.directory.close();
  await rm(folder, { recursive: true });
});

test('whoever reads the cache while it is written finds one whole text', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-discovery-'));
  const path = join(folder, 'cache.json');
  const runtime = virtualRuntime();
  const cache = createViewCache({ path, runtime, log: silentLogger });
  const instances = Array.from({ length: 2000 }, (_, at) => ({ ...registration('orders', at), ...UP }));
  await cache.save(new Map([['orders', instances]]));
  let writing = true;
  const reading = (async () => {
    let reads = 0;
    for (; writing; reads++) assert.equal(JSON.parse(await readFile(path, 'utf8')).services.orders.length, 2000);
    return reads;
  })();
  for (let times = 0; times < 20; times++) await cache.save(new Map([['orders', instances]]));
  writing = false;
  assert.ok((await reading) > 10);
  assert.deepEqual(await readdir(folder), ['cache.json']);
  await rm(folder, { recursive: true });
});

test('a closed directory tells nothing, leaves no timer, and does not close the registry', async () => {
  const { runtime, servers, registry, directory, register, views, listen, ctx } = scene({
    cacheFile: 'cache.json',
    files: memoryFiles(),
  });
  listen();
  await register('orders', 1);
  await runtime.settle();
  const before = views.length;
  await directory.close();
  await directory.close();
  await register('orders', 2);
  await runtime.advance(60_000);
  assert.equal(views.length, before);
  assert.equal(registry.health().state, 'connected');
  await assert.rejects(directory.whenKnown(ctx(), 'users'), { reason: 'DISCOVERY_NOT_KNOWN_YET' });
  await registry.close();
  await servers.close();
  assert.equal(runtime.pendingTimers, 0);
});
