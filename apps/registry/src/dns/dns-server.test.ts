import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hasReason, silentLogger, systemRuntime, virtualRuntime } from '@souk/kernel';
import type { Catalog, HealthEntry, NodeEntry } from '../state/catalog.ts';
import { createDnsServer } from './dns-server.ts';
import { RCODE, TYPE } from './message.ts';
import { nameOf } from './name.ts';
import { readMessage } from './reader.ts';
import type { DnsSettings } from './settings.ts';
import { writeHeaderOnly, writeMessage } from './writer.ts';

const alpha: NodeEntry = {
  id: 'n',
  name: 'alpha',
  address: '10.0.0.1',
  datacenter: 'dc1',
  taggedAddresses: {},
  meta: { rack: 'r1' },
  createRev: 1,
  modifyRev: 1,
};
const instance = (service: string, index: number, address: string): HealthEntry => ({
  node: alpha,
  checks: [],
  status: 'passing',
  instance: {
    node: 'alpha',
    id: `${service}-${index}`,
    service,
    kind: '',
    tags: index % 2 === 0 ? ['v1', 'half'] : ['v1'],
    address,
    port: 8_000 + index,
    taggedAddresses: {},
    meta: {},
    weights: { passing: 3, warning: 1 },
    enableTagOverride: false,
    souk: undefined,
    createRev: 1,
    modifyRev: 1,
  },
});
const entries = [
  instance('web', 0, ''),
  instance('web', 1, 'fd00::1'),
  ...Array.from({ length: 1_000 }, (_, index) => instance('big', index, `10.1.${index >> 8}.${index & 255}`)),
];
const catalog: Pick<Catalog, 'self' | 'node' | 'instancesOf'> = {
  self: 'alpha',
  node: (name) => (name.toLowerCase() === 'alpha' ? alpha : undefined),
  instancesOf: (service) => entries.filter((entry) => entry.instance.service === service.toLowerCase()),
};

async function started(t: TestContext, settings: Partial<DnsSettings> = {}, runtime = virtualRuntime()) {
  const server = createDnsServer({
    runtime,
    log: silentLogger,
    catalog,
    datacenter: 'dc1',
    host: '127.0.0.1',
    port: 0,
    settings,
  });
  await server.start();
  t.after(() => server.stop());
  const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
  return { server, resolver, port: server.port };
}

const query = (name: string, type: number, id = 1): Uint8Array =>
  writeMessage({
    ...readMessage(writeHeaderOnly({ id, opcode: 0, recursionDesired: false }, 0)),
    response: false,
    questions: [{ name: nameOf(name), type, class: 1 }],
  }) as Uint8Array;
const framed = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);

async function overTcp(port: number, bytes: Uint8Array, answers: number) {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let received = Buffer.alloc(0);
  const messages: Buffer[] = [];
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
      const end = 2 + received.readUInt16BE();
      messages.push(received.subarray(2, end));
      received = received.subarray(end);
    }
    if (messages.length === answers) break;
  }
  return messages.map((message) => readMessage(message));
}

test("Node's own resolver finds SRV, A, AAAA and TXT", async (t) => {
  const { resolver } = await started(t);
  const srv = await resolver.resolveSrv('_web._tcp.consul');
  assert.deepEqual(
    srv.sort((a, b) => a.port - b.port),
    [
      { name: 'alpha.node.dc1.consul', port: 8_000, priority: 1, weight: 3, type: 'SRV' },
      { name: 'fd000000000000000000000000000001.addr.dc1.consul', port: 8_001, priority: 1, weight: 3, type: 'SRV' },
    ],
  );
  assert.deepEqual(await resolver.resolve4('web.service.consul'), ['10.0.0.1']);
  assert.deepEqual(await resolver.resolve6('v1.web.service.dc1.consul'), ['fd00::1']);
  assert.deepEqual(await resolver.resolveTxt('alpha.node.consul'), [['rack=r1']]);
  assert.deepEqual(await resolver.resolve4('0a000001.addr.consul'), ['10.0.0.1']);
  assert.deepEqual(await resolver.resolveNs('consul'), ['ns.consul']);
  await assert.rejects(resolver.resolve4('none.service.consul'), { code: 'ENOTFOUND' });
  await assert.rejects(resolver.resolveTxt('web.service.consul'), { code: 'ENODATA' });
  await assert.rejects(resolver.resolve4('example.com'), { code: 'EREFUSED' });
});

test("Node's own resolver asks again over TCP for what does not fit into UDP, and gets all of it", async (t) => {
  const { resolver } = await started(t);
  assert.equal(new Set(await resolver.resolve4('big.service.consul')).size, 1_000);
  // The library behind it (c-ares) gives up on answers with some 1,550 names, be they right or not: below that.
  assert.equal((await resolver.resolveSrv('half.big.service.consul')).length, 500);
});

test('several questions over one connection are answered in their order, however they are cut up', async (t) => {
  const { port } = await started(t);
  const whole = Buffer.concat(
    [1, 2, 3].map((id) => framed(query(id === 2 ? 'none.service.consul' : 'web.service.consul', TYPE.A, id))),
  );
  const replies = await overTcp(port, whole, 3);
  assert.deepEqual(
    replies.map(({ id, rcode }) => [id, rcode]),
    [
      [1, 0],
      [2, RCODE.NXDOMAIN],
      [3, 0],
    ],
  );

  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  t.after(() => socket.destroy());
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  for (const byte of framed(query('web.service.consul', TYPE.A))) {
    socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, 'data');
  assert.ok(received > 12);
});

test('a thousand questions at once over one connection are all answered', async (t) => {
  const { port } = await started(t);
  const whole = Buffer.concat(
    Array.from({ length: 1_000 }, (_, id) => framed(query('web.service.consul', TYPE.SRV, id))),
  );
  const replies = await overTcp(port, whole, 1_000);
  assert.deepEqual(
    replies.map(({ id }) => id),
    Array.from({ length: 1_000 }, (_, id) => id),
  );
});

test('nonsense over UDP and TCP ends nothing but itself', async (t) => {
  const { port, resolver } = await started(t);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const nonsense = [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.alloc(600, 0xff),
    Buffer.alloc(12),
    Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12]),
  ];
  for (const bytes of nonsense) socket.send(bytes, port, '127.0.0.1');
  const [reply] = (await once(socket, 'message')) as [Buffer];
  assert.equal(readMessage(reply).rcode, RCODE.FORMERR);
  const short = connect(port, '127.0.0.1');
  short.write(Buffer.from([0, 2, 1, 1]));
  short.resume();
  await once(short, 'close');
  assert.deepEqual(await resolver.resolve4('web.service.consul'), ['10.0.0.1']);
});

test('a connection that asks nothing, or only half a question, is closed after the idle time', async (t) => {
  const runtime = virtualRuntime();
  const { port } = await started(t, { tcpIdleMs: 1_000 }, runtime);
  const [silent, half] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  half.write(Buffer.from([0, 40, 1]));
  for (const socket of [silent, half]) socket.resume();
  await Promise.all([once(silent, 'connect'), once(half, 'connect')]);
  const closed = Promise.all([once(silent, 'close'), once(half, 'close')]);
  // Over one more connection, so that the two before have arrived.
  await overTcp(port, framed(query('web.service.consul', TYPE.A)), 1);
  await runtime.advance(1_000);
  await closed;
});

test('connections above the limit are closed, and the others go on', async (t) => {
  const { port } = await started(t, { tcpMaxConnections: 2 });
  const kept = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  t.after(() => kept.forEach((socket) => void socket.destroy()));
  await Promise.all(kept.map((socket) => once(socket, 'connect')));
  for (const socket of kept) {
    socket.write(framed(query('web.service.consul', TYPE.A)));
    await once(socket, 'data');
  }
  const third = connect(port, '127.0.0.1');
  third.on('error', () => {});
  third.resume();
  await once(third, 'close');
  kept[0]?.write(framed(query('web.service.consul', TYPE.A)));
  await once(kept[0]!, 'data');
});

test('a port that another program has is an error that names it', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const server = createDnsServer({
    runtime: systemRuntime(),
    log: silentLogger,
    catalog,
    datacenter: 'dc1',
    host: '127.0.0.1',
    port,
  });
  await assert.rejects(
    server.start(),
    (error) => hasReason(error, 'REGISTRY_DNS_NO_PORT') && String(error).includes(`:${port}`),
  );
  await server.stop();
});
