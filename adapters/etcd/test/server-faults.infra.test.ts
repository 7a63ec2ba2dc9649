import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAINING, UP } from '@souk/discovery';
import { etcdServer } from '../../../tests/support/programs.ts';
import { flags, inWorld, registration, runtime, until, withServer } from './world.ts';

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
      // The library does not let anything through any more for a while.
      const operator = client();
      const alarms = async () => (await operator.maintenance.alarm({ action: 'Get' })).alarms;
      await until('the alarm', async () => (await alarms()).length > 0);
      await other.register(registration('orders-2'), UP);
      assert.match(other.health().lastError ?? '', /space exceeded/);
      assert.equal(other.health().state, 'connected');
      await runtime.timers.sleep(2500);
      assert.equal(now(), 'orders-1');
      const { header } = await operator.get('x').exec();
      await operator.kv.compact({ revision: header.revision, physical: true });
      await operator.maintenance.defragment();
      for (const { memberID, alarm } of await alarms()) {
        await operator.maintenance.alarm({ action: 'Deactivate', memberID, alarm });
      }
      await until('the newcomer', () => now() === 'orders-1 orders-2');
      assert.equal(other.health().lastError, undefined);
    },
    ['--quota-backend-bytes=16777216'],
  ));
