import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAINING, UP } from '@souk/discovery';
import { type EtcdServer, etcdServer } from '../../../tests/support/programs.ts';
import { tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { inWorld, registration, runtime, until, type World } from './world.ts';

const flags = ['--grpc-keepalive-min-time=500ms'];

/** A server of its own, since it does not survive as it was. */
async function withServer(run: (server: EtcdServer, world: World) => Promise<void>, more: string[] = []) {
  const server = await etcdServer([...flags, ...more]);
  await server.start();
  try {
    await inWorld(server, (world) => run(server, world));
  } finally {
    await server.close();
  }
}

test('without a server a registry starts, says so, and registers when the server is there', async () => {
  const server = await etcdServer(flags);
  try {
    await inWorld(server, async ({ registry, follow }) => {
      const own = registry();
      const { told, now } = follow(own);
      const begunMs = runtime.clock.monotonicMs();
      await own.register(registration('orders-1'), UP);
      const tookMs = runtime.clock.monotonicMs() - begunMs;
      assert.ok(tookMs > 900 && tookMs < 2500, `${tookMs} ms`);
      assert.equal(own.health().state, 'connecting');
      assert.match(own.health().lastError ?? '', /ECONNREFUSED|did not answer|Deadline/i);
      assert.equal(told.length, 0);
      await server.start();
      await until('the instance', () => now() === 'orders-1');
      assert.equal(own.health().state, 'connected');
      assert.equal(own.health().lastError, undefined);
    });
  } finally {
    await server.close();
  }
});

test('a server that is killed and comes back with its data takes nobody out', () =>
  withServer(async (server, { registry, follow }) => {
    const [own, other] = [registry(), registry()];
    const registered = await own.register(registration('orders-1'), UP);
    const { told, now } = follow(other);
    await until('the instance', () => now() === 'orders-1');
    await server.kill();
    await until('the loss', () => other.health().state === 'connecting' && own.health().state === 'connecting');
    await server.start();
    await until('the return', () => other.health().state === 'connected' && own.health().state === 'connected');
    await registered.update(DRAINING);
    await until('news over the new connection', () => now() === 'orders-1:draining');
    assert.equal(told.length, 2);
  }));

test('a server that comes back without its data has all registrations again within a heartbeat, and watches go on', () =>
  withServer(async (server, { registry, follow, prefix, client }) => {
    const [own, other] = [registry(), registry()];
    const etcd = client();
    // So that the revisions begin anew below those that were seen.
    for (let count = 0; count < 50; count++) await etcd.put('/noise').value(count);
    await own.register(registration('orders-1'), UP);
    await other.register(registration('orders-2'), UP);
    const { now } = follow(other);
    await until('both', () => now() === 'orders-1 orders-2');
    await server.kill();
    await server.wipe();
    await server.start();
    const countAll = () => etcd.getAll().prefix(prefix).count();
    await until('both keys', async () => (await countAll().catch(() => 0)) === 2, 4500);
    await until('both', () => now() === 'orders-1 orders-2');
    await own.register(registration('orders-3'), UP);
    await until('news', () => now() === 'orders-1 orders-2 orders-3');
  }));

test('while a server is frozen for longer than the lease, nobody hangs, and afterwards everybody is there', () =>
  withServer(async (server, { registry, follow, said }) => {
    const [own, other] = [registry(), registry()];
    const registered = await own.register(registration('orders-1'), UP);
    const { now } = follow(other);
    await until('the instance', () => now() === 'orders-1');
    await server.freeze(true);
    const begunMs = runtime.clock.monotonicMs();
    await registered.update(DRAINING);
    assert.ok(runtime.clock.monotonicMs() - begunMs < 2000);
    await until('the loss', () => own.health().state === 'connecting' && other.health().state === 'connecting');
    await runtime.timers.sleep(2500);
    assert.equal(now(), 'orders-1');
    await server.freeze(false);
    await until('the return', () => now() === 'orders-1:draining');
    // By our own clock: the library would have believed in it for another lease.
    assert.ok(said.some(({ message }) => message.includes('the lease is lost')));
  }));

test('a process that is cut off for longer than its lease is gone for the others, and comes back with a new lease', () =>
  withServer(async (server, { registry, follow, client, prefix }) => {
    const wire = await tcpProxy(server.port);
    const own = registry({}, wire.port);
    await own.register(registration('orders-1'), UP);
    const etcd = client();
    const leaseOf = async () => (await etcd.get(`${prefix}orders/orders-1`).exec()).kvs[0]?.lease;
    const lease = await leaseOf();
    const { now } = follow(registry());
    await until('the instance', () => now() === 'orders-1');
    wire.stall();
    wire.refuse(true);
    await until('its end', () => now() === '');
    assert.equal(own.health().state, 'connecting');
    wire.cut();
    wire.flow();
    wire.refuse(false);
    await until('its return', () => now() === 'orders-1');
    assert.notEqual(await leaseOf(), lease);
    await wire.close();
  }));

test('a short cut costs nothing: the lease goes on and nobody hears of it', () =>
  withServer(async (server, { registry, follow, client, prefix }) => {
    const wire = await tcpProxy(server.port);
    const own = registry({}, wire.port);
    await own.register(registration('orders-1'), UP);
    const { told, now } = follow(registry());
    const mine = follow(own);
    await until('the instance', () => now() === 'orders-1' && mine.now() === 'orders-1');
    for (let cuts = 0; cuts < 3; cuts++) {
      wire.cut();
      await until('the loss', () => own.health().state === 'connecting');
      await until('the return', () => own.health().state === 'connected');
    }
    const { version } = (await client().get(`${prefix}orders/orders-1`).exec()).kvs[0] ?? {};
    assert.equal(version, '1');
    assert.equal(told.length, 1);
    assert.equal(mine.told.length, 1);
    await wire.close();
  }));

test('a watcher that missed what was compacted away sees the present, not the past', () =>
  withServer(async (server, { registry, follow, client }) => {
    const wire = await tcpProxy(server.port);
    const writer = registry();
    const gone = await writer.register(registration('orders-1'), UP);
    await writer.register(registration('orders-2'), UP);
    const { told, now } = follow(registry({}, wire.port));
    await until('both', () => now() === 'orders-1 orders-2');
    wire.refuse(true);
    wire.cut();
    await gone.deregister();
    await writer.register(registration('orders-3'), UP);
    const etcd = client();
    const { header } = await etcd.get('x').exec();
    await etcd.kv.compact({ revision: header.revision, physical: true });
    wire.refuse(false);
    await until('the present', () => now() === 'orders-2 orders-3');
    assert.equal(told.length, 2);
    await wire.close();
  }));

test('a watch that is asked for behind the compaction lists again', () =>
  withServer(async (server, { registry, follow, client, said }) => {
    const wire = await tcpProxy(server.port);
    const writer = registry();
    await writer.register(registration('orders-1'), UP);
    const etcd = client();
    // The answer to the list is on its way while the revision behind it is compacted.
    const reader = registry({ callMs: 3000 }, wire.port);
    await until('a connection', () => reader.health().state === 'connected');
    wire.delay(300);
    const { now } = follow(reader);
    await runtime.timers.sleep(450);
    for (let count = 0; count < 5; count++) await etcd.put('/noise').value(count);
    const { header } = await etcd.get('x').exec();
    await etcd.kv.compact({ revision: header.revision, physical: true });
    await until('the end of the watch', () => said.some(({ fields }) => Number(fields?.compacted) > 0));
    await writer.register(registration('orders-2'), UP);
    await until('news', () => now() === 'orders-1 orders-2');
    await wire.close();
  }));

test('of several members the next is taken when one does not answer', () =>
  withServer(async (server, { registry, follow }) => {
    const dead = await tcpProxy(server.port);
    const alive = await tcpProxy(server.port);
    const hosts = [dead, alive].map(({ port }) => `http://127.0.0.1:${port}`);
    dead.stall();
    const own = registry({ hosts });
    const { now } = follow(own);
    await own.register(registration('orders-1'), UP);
    await until('the instance', () => now() === 'orders-1');
    dead.flow();
    alive.stall();
    await until('the loss', () => own.health().state === 'connecting');
    const other = await registry().register(registration('orders-2'), UP);
    await until('news over the other', () => now() === 'orders-1 orders-2');
    await other.deregister();
    await Promise.all([dead.close(), alive.close()]);
  }));

test('a server that is full keeps who is there, refuses newcomers aloud, and has them when there is room', () =>
  withServer(
    async (_, { registry, follow, client }) => {
      const [own, other] = [registry(), registry()];
      await own.register(registration('orders-1'), UP);
      const { now } = follow(other);
      await until('the instance', () => now() === 'orders-1');
      const etcd = client();
      const big = 'x'.repeat(1_000_000);
      const fill = async () => {
        for (let count = 0; count < 40; count++) await etcd.put('/big').value(big);
      };
      await assert.rejects(fill(), /space exceeded/);
      await other.register(registration('orders-2'), UP);
      assert.match(other.health().lastError ?? '', /space exceeded/);
      assert.equal(other.health().state, 'connected');
      await runtime.timers.sleep(2500);
      assert.equal(now(), 'orders-1');
      const { header } = await etcd.get('x').exec();
      await etcd.kv.compact({ revision: header.revision, physical: true });
      await etcd.maintenance.defragment();
      await etcd.maintenance.alarm({ action: 'Deactivate', memberID: 0, alarm: 'Nospace' });
      await until('the newcomer', () => now() === 'orders-1 orders-2');
      assert.equal(other.health().lastError, undefined);
    },
    ['--quota-backend-bytes=16777216'],
  ));
