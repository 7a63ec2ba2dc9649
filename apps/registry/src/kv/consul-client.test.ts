import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import Consul from 'consul';
import { servedKv } from '../../test/kv-world.ts';

// The npm package `consul`, as it is. Its promises give undefined where the registry answers `false`.

async function connected(t: TestContext) {
  const { port, close } = await servedKv(systemRuntime(), 5);
  const consul = new Consul({ host: '127.0.0.1', port });
  t.after(async () => {
    consul.destroy();
    await close();
  });
  return consul;
}

test('the client reads, writes, lists, checks and deletes keys', async (t) => {
  const { kv } = await connected(t);
  assert.equal(await kv.get('missing'), undefined);
  assert.equal(await kv.set('app/colour', 'red'), true);
  assert.equal((await kv.get('app/colour'))?.Value, 'red');
  assert.equal(await kv.set({ key: 'app/size', value: 'XL', flags: 5 }), true);
  assert.equal((await kv.get('app/size'))?.Flags, 5);
  assert.deepEqual(await kv.keys('app/'), ['app/colour', 'app/size']);
  assert.deepEqual(await kv.keys({ key: 'a', separator: '/' }), ['app/']);
  const found = (await kv.get({ key: 'app/', recurse: true })) as { Key: string }[];
  assert.deepEqual(
    found.map(({ Key }) => Key),
    ['app/colour', 'app/size'],
  );
  assert.deepEqual(await kv.get({ key: 'app/colour', raw: true }), Buffer.from('red'));
  const index = (await kv.get('app/colour'))?.ModifyIndex as number;
  assert.ok(!(await kv.set({ key: 'app/colour', value: 'blue', cas: index + 1 })));
  assert.equal(await kv.set({ key: 'app/colour', value: 'blue', cas: index }), true);
  assert.ok(!(await kv.set({ key: 'app/colour', value: 'green', cas: 0 })));
  assert.ok(!(await kv.del({ key: 'app/colour', cas: index })));
  assert.equal(await kv.del('app/colour'), true);
  assert.equal(await kv.del({ key: 'app', recurse: true }), true);
  assert.equal(await kv.get('app/size'), undefined);
});

test('the client locks by session, one at a time, and gets the lock when the holder ends', async (t) => {
  const { kv, session } = await connected(t);
  const options = { ttl: '30s', lockdelay: '0s', behavior: 'release' as const, name: 'worker' };
  const [{ ID: a }, { ID: b }] = [await session.create(options), await session.create(options)];
  assert.equal((await session.get(a)).Name, 'worker');
  assert.deepEqual(
    (await session.list()).map(({ ID }) => ID),
    [a, b].sort(),
  );
  assert.equal((await session.node('self')).length, 2);
  assert.equal((await session.renew(a))[0]?.TTL, '30s');
  assert.equal(await kv.set({ key: 'leader', value: 'a', acquire: a }), true);
  assert.ok(!(await kv.set({ key: 'leader', value: 'b', acquire: b })));
  assert.equal(await kv.set({ key: 'leader', value: '', release: a }), true);
  assert.equal(await kv.set({ key: 'leader', value: 'b', acquire: b }), true);
  await session.destroy(b);
  assert.equal(await kv.set({ key: 'leader', value: 'a', acquire: a }), true);
  assert.equal((await kv.get('leader'))?.LockIndex, 3);
  await assert.rejects(session.renew(b), /not found/);
  assert.equal(await session.get(b), undefined);
});

test('the client makes transactions', async (t) => {
  const { kv, transaction } = await connected(t);
  const value = Buffer.from('1').toString('base64');
  const operations = [{ KV: { Verb: 'set', Key: 'a', Value: value } }, { KV: { Verb: 'get', Key: 'a' } }];
  const { Results } = await transaction.create(operations as never);
  assert.equal((Results as { KV: { Value: string } }[])[1]?.KV.Value, value);
  const conflict = [{ KV: { Verb: 'set', Key: 'b', Value: value } }, { KV: { Verb: 'check-not-exists', Key: 'a' } }];
  await assert.rejects(transaction.create(conflict as never), /conflict/i);
  assert.equal(await kv.get('b'), undefined);
});

test('the client fires events and lists them', async (t) => {
  const { event } = await connected(t);
  const fired = await event.fire('deploy', 'v2');
  assert.deepEqual([fired.Name, fired.Payload], ['deploy', 'v2']);
  await event.fire('other', Buffer.from([1]));
  assert.deepEqual(
    (await event.list('deploy')).map(({ ID }) => ID),
    [fired.ID],
  );
  assert.equal((await event.list()).length, 2);
});

test('the client watches a key: it sees each state it waits for, and a deletion', async (t) => {
  const consul = await connected(t);
  const watch = consul.watch({ method: consul.kv.get as never, options: { key: 'colour', wait: '10s' } as never });
  t.after(() => watch.end());
  const states: unknown[] = [];
  watch.on('change', (data: { Value: string } | undefined) => void states.push(data?.Value));
  watch.on('error', (error: Error) => assert.fail(error));
  await once(watch, 'change');
  for (const colour of ['red', 'blue']) {
    const changed = once(watch, 'change');
    await consul.kv.set('other', colour);
    await consul.kv.set('colour', colour);
    await changed;
  }
  const gone = once(watch, 'change');
  await consul.kv.del('colour');
  await gone;
  assert.deepEqual(states, [undefined, 'red', 'blue', undefined]);
});

test('the client watches events', async (t) => {
  const consul = await connected(t);
  const watch = consul.watch({ method: consul.event.list as never, options: { name: 'deploy', wait: '10s' } as never });
  t.after(() => watch.end());
  watch.on('error', () => {});
  const seen = once(watch, 'change');
  await consul.event.fire('deploy', 'v3');
  await seen;
});
