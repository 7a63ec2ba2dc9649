import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { registrySuite } from './conformance.ts';
import { type Instance, type Registration, UP } from './instance.ts';
import { createMemoryHub } from './memory-hub.ts';
import { createMemoryRegistry } from './memory-registry.ts';

registrySuite('memory', async () => {
  const runtime = virtualRuntime();
  const hub = createMemoryHub({ runtime, ttlMs: 15_000 });
  return {
    runtime,
    can: { registers: true, crossProcess: true },
    registry: () => createMemoryRegistry({ runtime, hub }),
    pass: (ms) => runtime.advance(ms),
    kill: async (registry) => hub.interrupt(registry),
    interrupt: async () => hub.interrupt(),
    restore: async () => hub.resume(),
    loseMemory: async () => hub.loseMemory(),
  };
});

const registration: Registration = {
  id: 'orders-1',
  service: 'orders',
  address: '127.0.0.1',
  port: 8080,
  protocol: 'http',
  version: '1',
  zone: '',
  weight: 1,
  tags: [],
  meta: {},
  incarnation: '1',
};

test('a registry of its own needs no heartbeats, and its instances do not expire', async () => {
  const runtime = virtualRuntime();
  const registry = createMemoryRegistry({ runtime });
  let last: readonly Instance[] = [];
  registry.watch('orders', (instances) => {
    last = instances;
  });
  await registry.register(registration, UP);
  await runtime.advance(24 * 60 * 60_000);
  assert.equal(last.length, 1);
  assert.equal(runtime.pendingTimers, 0);
  await registry.close();
});

test('an earlier run that comes after a later one is refused', async () => {
  const runtime = virtualRuntime();
  const registry = createMemoryRegistry({ runtime });
  await registry.register({ ...registration, incarnation: '2' }, UP);
  await assert.rejects(registry.register(registration, UP), { reason: 'DISCOVERY_REGISTRATION_REFUSED' });
});

test('a closed registry leaves no timer', async () => {
  const runtime = virtualRuntime();
  const hub = createMemoryHub({ runtime, ttlMs: 15_000 });
  const registry = createMemoryRegistry({ runtime, hub });
  await registry.register(registration, UP);
  await registry.close();
  assert.equal(runtime.pendingTimers, 0);
});
