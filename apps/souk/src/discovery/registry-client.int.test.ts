import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemRuntime } from '@souk/kernel';
import type { ShopSettings } from '../settings.ts';
import { parseRegistryAddress } from './registry-address.ts';
import { createRegistryClient } from './registry-client.ts';

const runtime = systemRuntime();
const settings = (more: Partial<ShopSettings['discovery']>): ShopSettings['discovery'] => ({
  ...{ registry: 'http://127.0.0.1:1', token: undefined, ca: undefined, cert: undefined, key: undefined },
  ...{ zone: undefined, weight: 1, version: undefined },
  ...more,
});

test('the token goes to a registry that speaks as Consul does', async () => {
  const asked = Promise.withResolvers<IncomingMessage>();
  const server = createServer((request, response) => {
    asked.resolve(request);
    response.writeHead(200, { 'x-consul-index': '1' }).end('[]');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const own = settings({ registry: `http://127.0.0.1:${port}`, token: 'a-token' });
  const registry = createRegistryClient(own, runtime, silentLogger);
  registry.watch('orders', () => {});
  assert.equal((await asked.promise).headers['x-consul-token'], 'a-token');
  await registry.close();
  server.closeAllConnections();
  server.close();
});

test('etcd is reached with TLS, as a user, and by the certificates of files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'souk-registry-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.deepEqual(parseRegistryAddress('etcds://a.example:2379,b.example:2379'), {
    kind: 'etcd',
    hosts: ['https://a.example:2379', 'https://b.example:2379'],
  });
  const ca = join(folder, 'ca.pem');
  const own = settings({ registry: 'etcds://a.example:2379', token: 'root:a:b', ca });
  assert.throws(() => createRegistryClient(own, runtime, silentLogger), /discovery\.ca.*ca\.pem cannot be read/);
  writeFileSync(ca, '');
  await createRegistryClient(own, runtime, silentLogger).close();
  assert.throws(
    () => createRegistryClient({ ...own, ca: undefined, cert: ca }, runtime, silentLogger),
    /discovery\.ca .*etcd wants discovery\.ca beside/,
  );
  assert.throws(
    () => createRegistryClient({ ...own, token: 'no-password' }, runtime, silentLogger),
    (error: Error) => /etcd wants user:password/.test(error.message) && !error.message.includes('no-password'),
  );
});
