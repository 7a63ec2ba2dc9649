import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DRAINING, STARTING, UP } from '@souk/discovery';
import { makeCertificates } from '../../../tests/support/certificates.ts';
import { etcdServer } from '../../../tests/support/programs.ts';
import { flags, inWorld, registration, until, withServer } from './world.ts';

const server = await etcdServer(flags);
before(() => server.start());
after(() => server.close());

test('the etcd3 library reads what was registered, under a key of its own and a lease', () =>
  inWorld(server, async ({ registry, client, prefix }) => {
    const given = registration('orders-1', { tags: ['eu'], meta: { build: '7' }, zone: 'b', weight: 3 });
    await registry().register(given, UP);
    const etcd = client();
    assert.deepEqual(await etcd.getAll().prefix(prefix).json(), {
      [`${prefix}orders/orders-1`]: { ...given, ready: true, serving: true, terminating: false },
    });
    const { kvs } = await etcd.get(`${prefix}orders/orders-1`).exec();
    assert.notEqual(kvs[0]?.lease, '0');
  }));

test('what the etcd3 library writes is an instance, and is gone when its lease is', () =>
  inWorld(server, async ({ registry, client, prefix, follow }) => {
    const etcd = client();
    const lease = etcd.lease(1);
    const { told, now } = follow(registry());
    await until('an answer', () => now() === '');
    await lease.put(`${prefix}orders/foreign`).value('{"address":"10.0.0.1","port":80}');
    await until('the instance', () => now() === 'foreign');
    assert.deepEqual(told.at(-1)?.[0], {
      ...registration('foreign', { address: '10.0.0.1', port: 80, version: '', zone: '', incarnation: '' }),
      ...UP,
    });
    await lease.revoke();
    await until('its end', () => now() === '');
    assert.equal(told.length, 3);
  }));

test('values that are no instances are left out and said, and change nothing for the others', () =>
  inWorld(server, async ({ registry, client, prefix, follow, said }) => {
    const etcd = client();
    const reader = registry();
    await reader.register(registration('good'), UP);
    for (const [id, value] of Object.entries({
      text: 'hello',
      list: '[]',
      nothing: '',
      portless: '{"address":"10.0.0.1"}',
      far: '{"address":"10.0.0.1","port":65536}',
      heavy: '{"address":"10.0.0.1","port":1,"weight":-1}',
      other: '{"address":"10.0.0.1","port":1,"id":"another"}',
    })) {
      await etcd.put(`${prefix}orders/${id}`).value(value);
    }
    await etcd.put(`${prefix}orders/deep/er`).value('{"address":"10.0.0.1","port":1}');
    const { now } = follow(reader);
    await until('the good one', () => now() === 'good');
    const left = said.filter(({ message }) => message.includes('is no instance')).map(({ fields }) => fields?.key);
    assert.equal(new Set(left).size, 8);
    await etcd.put(`${prefix}orders/text`).value('{"address":"10.0.0.1","port":1}');
    await until('the one that makes sense now', () => now() === 'good text');
    await etcd.put(`${prefix}orders/text`).value('again');
    await until('the one that makes no sense any more', () => now() === 'good');
  }));

test('a younger incarnation takes an id over at once, and the older one never comes back', () =>
  inWorld(server, async ({ registry, follow, said, client, prefix }) => {
    const [old, young] = [registry(), registry()];
    const { told, now } = follow(registry());
    const first = await old.register(registration('orders-1', { incarnation: 'a' }), UP);
    await young.register(registration('orders-1', { incarnation: 'b', port: 8081 }), STARTING);
    await until('the younger one', () => now() === 'orders-1:starting');
    await first.update(DRAINING);
    await until('the older one to see it', () => said.some(({ message }) => message.includes('younger run')));
    await first.deregister();
    const late = await registry().register(registration('orders-1', { incarnation: 'a' }), UP);
    await late.deregister();
    const { version } = (await client().get(`${prefix}orders/orders-1`).exec()).kvs[0] ?? {};
    assert.equal(version, '2');
    assert.equal(now(), 'orders-1:starting');
    assert.equal(told.at(-1)?.[0]?.port, 8081);
  }));

test('of two runs that register at the same moment the younger is there, twenty times', () =>
  inWorld(server, async ({ registry, client, prefix }) => {
    const [old, young] = [registry(), registry()];
    const etcd = client();
    // Both have a lease, so that the writes meet.
    await Promise.all([old.register(registration('old'), UP), young.register(registration('young'), UP)]);
    for (let times = 0; times < 20; times++) {
      const id = `orders-${times}`;
      await Promise.all([
        old.register(registration(id, { incarnation: 'a' }), UP),
        young.register(registration(id, { incarnation: 'b' }), UP),
      ]);
      const held = (await etcd.get(`${prefix}orders/${id}`).json()) as { incarnation: string };
      assert.equal(held.incarnation, 'b');
    }
  }));

test('a key that somebody removed by hand is back within a heartbeat', () =>
  inWorld(server, async ({ registry, client, prefix, follow }) => {
    const own = registry();
    await own.register(registration('orders-1'), UP);
    await own.register(registration('orders-2'), UP);
    const { told, now } = follow(own);
    await until('both', () => now() === 'orders-1 orders-2');
    await client().delete().key(`${prefix}orders/orders-2`);
    await until('the return', () => told.length === 3, 1000);
    assert.equal(now(), 'orders-1 orders-2');
  }));

test('a good-bye takes out its own key only, and a close takes out all', () =>
  inWorld(server, async ({ registry, client, prefix }) => {
    const etcd = client();
    const own = registry();
    const first = await own.register(registration('orders-1'), UP);
    await own.register(registration('orders-2'), UP);
    await own.register(registration('stock-1', { service: 'stock' }), UP);
    await first.deregister();
    assert.equal(await etcd.getAll().prefix(prefix).count(), 2);
    await first.update(UP);
    await first.deregister();
    assert.equal(await etcd.getAll().prefix(prefix).count(), 2);
    await own.close();
    assert.equal(await etcd.getAll().prefix(prefix).count(), 0);
    await assert.rejects(own.register(registration('orders-3'), UP), { reason: 'DISCOVERY_CLOSED' });
    assert.equal(own.health().state, 'closed');
  }));

test('three hundred instances of one process are registered with one lease', () =>
  inWorld(server, async ({ registry, client, prefix, follow }) => {
    const own = registry();
    const ids = Array.from({ length: 300 }, (_, index) => `orders-${1000 + index}`);
    await Promise.all(ids.map((id) => own.register(registration(id), UP)));
    const { kvs } = await client().getAll().prefix(prefix).exec();
    assert.equal(kvs.length, 300);
    assert.equal(new Set(kvs.map(({ lease }) => lease)).size, 1);
    const { now } = follow(registry());
    await until('all', () => now() === ids.join(' '));
  }));

test('services whose names begin alike do not see each other', () =>
  inWorld(server, async ({ registry, follow }) => {
    const own = registry();
    await own.register(registration('one', { service: 'order' }), UP);
    await own.register(registration('two', { service: 'orders' }), UP);
    const [order, orders] = [follow(own, 'order'), follow(own, 'orders')];
    await until('both', () => order.now() === 'one' && orders.now() === 'two');
  }));

test('a registry without credentials, or with wrong ones, says so without the password', () =>
  withServer(async (_, { client, registry, follow }) => {
    const etcd = client();
    await etcd.user('root').create('geheim');
    await etcd.role('root').create();
    await etcd.user('root').addRole('root');
    await etcd.auth.authEnable();
    const wrong = registry({ auth: { username: 'root', password: 'not-the-one' } });
    const none = registry();
    const right = registry({ auth: { username: 'root', password: 'geheim' } });
    await right.register(registration('orders-1'), UP);
    const { now } = follow(right);
    await until('what was registered', () => now() === 'orders-1');
    await until('errors', () => wrong.health().lastError !== undefined && none.health().lastError !== undefined);
    assert.match(wrong.health().lastError ?? '', /authentication failed/);
    assert.doesNotMatch(wrong.health().lastError ?? '', /not-the-one/);
    assert.match(none.health().lastError ?? '', /user name is empty|permission denied/);
  }));

test('over TLS the authority is checked, and the client shows a certificate of its own', async () => {
  const { ca, cert, key, ...certificates } = makeCertificates();
  const guarded = await etcdServer(flags, { ca, cert, key, ...certificates });
  await guarded.start();
  try {
    await inWorld(guarded, async ({ registry, follow }) => {
      const right = registry({ tls: { ca, cert, key } });
      const [trusting, nameless] = [registry(), registry({ tls: { ca } })];
      const { now } = follow(right);
      await right.register(registration('orders-1'), UP);
      await until('the instance', () => now() === 'orders-1');
      await until('refusals', () => [trusting, nameless].every((one) => one.health().lastError !== undefined));
      assert.ok([trusting, nameless].every((one) => one.health().state === 'connecting'));
    });
  } finally {
    await guarded.close();
    certificates.remove();
  }
});
