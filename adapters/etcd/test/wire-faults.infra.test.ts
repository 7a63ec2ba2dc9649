import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UP } from '@souk/discovery';
import { tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { registration, runtime, until, withServer } from './world.ts';

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
