import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { registrySuite } from './conformance.ts';
import { createFileRegistry } from './file-registry.ts';
import { DRAINING, type Instance, UP } from './instance.ts';

const log = silentLogger;

registrySuite('file', async () => {
  const runtime = virtualRuntime();
  return {
    runtime,
    can: { registers: true, crossProcess: false },
    registry: () => createFileRegistry({ runtime, path: 'services.json', log, read: async () => '{}' }),
    pass: (ms) => runtime.advance(ms),
  };
});

/** A file whose text a test writes; undefined: there is none. */
function scene(text: string | undefined) {
  const runtime = virtualRuntime();
  const file = { text };
  const read = async () => {
    if (file.text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return file.text;
  };
  const registry = createFileRegistry({ runtime, path: 'services.json', log, read });
  const told: (readonly Instance[])[] = [];
  registry.watch('orders', (instances) => told.push(instances));
  return { runtime, file, registry, told };
}

const one = '{ "orders": [{ "address": "10.0.0.7", "port": 8080 }] }';

test('address and port are enough, and the rest can be said', async () => {
  const full = {
    id: 'orders-2',
    address: 'orders-2.internal',
    port: 443,
    protocol: 'https',
    version: '2.0.0',
    zone: 'b',
    weight: 0,
    tags: ['canary'],
    meta: { team: 'checkout' },
  };
  const { runtime, told } = scene(
    JSON.stringify({
      orders: [
        { address: '10.0.0.7', port: 8080 },
        { ...full, state: 'draining' },
      ],
    }),
  );
  await runtime.settle();
  assert.deepEqual(
    told.map((set) => set.map((instance) => ({ ...instance }))),
    [
      [
        {
          id: 'orders-10.0.0.7:8080',
          service: 'orders',
          address: '10.0.0.7',
          port: 8080,
          protocol: 'http',
          version: '',
          zone: '',
          weight: 1,
          tags: [],
          meta: {},
          incarnation: '',
          ...UP,
        },
        { ...full, service: 'orders', incarnation: '', ...DRAINING },
      ],
    ],
  );
});

test('a change of the file is told within a second, and no change is not', async () => {
  const { runtime, file, told, registry } = scene(one);
  await runtime.advance(5000);
  assert.equal(told.length, 1);
  file.text = one.replace('8080', '9090');
  await runtime.advance(1000);
  assert.equal(told.at(-1)?.[0]?.port, 9090);
  file.text = '{}';
  await runtime.advance(1000);
  assert.deepEqual(told.at(-1), []);
  await registry.close();
  assert.equal(runtime.pendingTimers, 0);
});

test('a broken or missing file keeps the last good one and says what is wrong', async () => {
  const { runtime, file, told, registry } = scene(one);
  await runtime.advance(1000);
  const broken: readonly (readonly [string | undefined, RegExp])[] = [
    ['{ "orders": [', /not JSON/],
    ['', /not JSON/],
    ['[]', /want an object/],
    ['{ "orders": {} }', /orders: want a list/],
    ['{ "orders": [{ "address": "a" }] }', /orders\[0\]\.port: is missing/],
    ['{ "orders": [{ "address": "a", "port": "80" }] }', /orders\[0\]\.port: want a number, got "80"/],
    ['{ "orders": [{ "address": "a", "port": 80, "wieght": 2 }] }', /orders\[0\]\.wieght: nobody knows/],
    ['{ "orders": [{ "address": "a", "port": 80, "state": "off" }] }', /state: want up, starting or draining/],
    ['{ "orders": [{ "address": "a", "port": 80 }, { "address": "a", "port": 80 }] }', /orders\[1\]: there is another/],
    [undefined, /no such file/],
  ];
  for (const [text, why] of broken) {
    file.text = text;
    await runtime.advance(1000);
    assert.equal(registry.health().state, 'connecting');
    assert.match(registry.health().lastError ?? '', why);
    assert.match(registry.health().lastError ?? '', /^services\.json/);
  }
  assert.equal(told.length, 1);
  file.text = one;
  await runtime.advance(1000);
  assert.equal(registry.health().state, 'connected');
  assert.equal(registry.health().lastError, undefined);
  assert.equal(told.length, 1);
});

test('nothing is told before there is a file, and then all', async () => {
  const { runtime, file, told, registry } = scene(undefined);
  const { id, service, ...rest } = { id: 'orders-own', service: 'orders', address: '127.0.0.1', port: 1 };
  const more = { protocol: 'http', version: '', zone: '', weight: 1, tags: [], meta: {}, incarnation: '1' } as const;
  await registry.register({ id, service, ...rest, ...more }, UP);
  await runtime.advance(3000);
  assert.equal(told.length, 0);
  file.text = one;
  await runtime.advance(1000);
  assert.deepEqual(
    told.map((set) => set.map((instance) => instance.id)),
    [['orders-10.0.0.7:8080', 'orders-own']],
  );
});

test('any JSON at all is read or refused, and never ends the reading', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (services) => {
      const { runtime, file, told, registry } = scene(JSON.stringify(services));
      await runtime.advance(0);
      file.text = one;
      await runtime.advance(1000);
      assert.equal(registry.health().state, 'connected');
      assert.equal(told.at(-1)?.[0]?.port, 8080);
      await registry.close();
    }),
    { numRuns: 100 },
  );
});

test('it is read from disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-discovery-'));
  const path = join(folder, 'services.json');
  await writeFile(path, one);
  const runtime = virtualRuntime();
  const registry = createFileRegistry({ runtime, path, log });
  let last: readonly Instance[] = [];
  registry.watch('orders', (instances) => {
    last = instances;
  });
  const until = async (port: number) => {
    while (last[0]?.port !== port) await runtime.advance(1000);
  };
  await until(8080);
  await writeFile(path, one.replace('8080', '9090'));
  await until(9090);
  await registry.close();
  await rm(folder, { recursive: true });
});
