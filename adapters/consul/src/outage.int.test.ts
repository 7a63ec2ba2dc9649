// A directory in front of our registry, as a process: what clients see while it is frozen, killed and has forgotten.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createDirectory, type Registration, type ServiceView, UP } from '@souk/discovery';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { registryProcess } from '../test/registry-process.ts';
import { createConsulRegistry } from './consul-registry.ts';

const runtime = systemRuntime();
const server = registryProcess();
/** Longer than this process may be kept from saying that it lives by others that use the machine. */
const TTL_MS = 4000;

before(server.start);
after(server.kill);

const connect = () =>
  createConsulRegistry({
    ...{ url: `http://127.0.0.1:${server.port}`, runtime, log: silentLogger },
    ...{ ttlMs: TTL_MS, requestMs: 500, patienceMs: 500 },
  });

const registration = (service: string, number: number): Registration => ({
  ...{ id: `${service}-${number}`, service, address: '127.0.0.1', port: 8000 + number, protocol: 'http' },
  ...{ version: '', zone: '', weight: 1, tags: [], meta: {}, incarnation: runtime.ids.uuid() },
});

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 3000, `never came: ${what}`);
    await pass(10);
  }
}

test('clients lose no instance while the registry is frozen, killed, away, and back without its memory', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-outage-'));
  const [servers, clients] = [connect(), connect()];
  const services = ['orders', 'payments', 'users'];
  const cacheFile = join(folder, 'cache.json');
  const directory = createDirectory({ registry: clients, runtime, log: silentLogger, cacheFile });
  t.after(async () => {
    await directory.close();
    await clients.close();
    await servers.close();
    await rm(folder, { recursive: true });
  });
  for (const service of services) {
    for (const number of [1, 2]) await servers.register(registration(service, number), UP);
  }
  const short: ServiceView[] = [];
  for (const service of services) {
    const ready = () => directory.view(service)?.instances.filter((one) => one.ready).length;
    await until(service, () => ready() === 2);
    directory.onChange(service, (view) => {
      if (view.instances.filter((one) => one.ready).length < 2) short.push(view);
    });
  }
  const sources = () => new Set(services.map((service) => directory.view(service)?.source));

  server.signal('SIGSTOP');
  await pass(2 * TTL_MS);
  server.signal('SIGCONT');
  await pass(TTL_MS);
  assert.deepEqual(short, []);

  await server.kill();
  await until('the loss', () => sources().has('kept'));
  await server.start();
  await until('the registry', () => clients.health().state === 'connected');
  // Until all have said again that they live.
  await until('its own word', () => !sources().has('kept'));
  await pass(TTL_MS);
  assert.deepEqual(short, []);

  await directory.close();
  await server.kill();
  const alone = connect();
  const second = createDirectory({ registry: alone, runtime, log: silentLogger, cacheFile, diskAfterMs: 100 });
  second.view('orders');
  await until('the instances of the run before', () => second.view('orders')?.instances.length === 2);
  assert.equal(second.view('orders')?.source, 'disk');
  await second.close();
  await alone.close();
});
