// The npm package `consul`, as it is, against the registry as a process.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Consul from 'consul';
import { registryProcess, until } from './registry-process.ts';

const registry = await registryProcess();
const consul = new Consul({ host: '127.0.0.1', port: registry.port });
before(() => registry.start());
after(() => registry.close());

/** Ids of the instances of a service that pass. */
async function passing(service: string): Promise<string> {
  const entries = await consul.health.service({ service, passing: true });
  return entries
    .map(({ Service }: { Service: { ID: string } }) => Service.ID)
    .sort()
    .join(' ');
}

/** The client repeats texts of less than 80 characters only. */
const isNotFound = (error: { statusCode?: number }) => error.statusCode === 404;

interface Watched {
  readonly heard: readonly unknown[];
  readonly indexes: readonly string[];
  end(): void;
}

/** Everything that a watch of the client says. */
function watch(method: (options: never) => Promise<unknown>, options: Record<string, string>): Watched {
  const heard: unknown[] = [];
  const indexes: string[] = [];
  const watching = consul.watch({ method, options, backoffFactor: 50, backoffMax: 200 });
  watching.on('change', (data, response) => {
    heard.push(data);
    indexes.push(response.headers['x-consul-index']);
  });
  watching.on('error', () => {});
  return { heard, indexes, end: () => watching.end() };
}

test('a service is registered, found, listed and deregistered', async () => {
  await consul.agent.service.register({
    id: 'web-1',
    name: 'web',
    address: '10.0.0.7',
    port: 8080,
    tags: ['v1', 'eu'],
    meta: { version: '1.4.0' },
  });
  const services = (await consul.agent.service.list()) as Record<string, { Service: string; Port: number }>;
  assert.deepEqual([services['web-1']?.Service, services['web-1']?.Port], ['web', 8080]);
  const [entry] = await consul.health.service({ service: 'web', tag: 'eu' });
  assert.deepEqual(entry.Service.Tags, ['v1', 'eu']);
  assert.equal(entry.Service.Meta.version, '1.4.0');
  assert.equal(entry.Service.Address, '10.0.0.7');
  assert.deepEqual(((await consul.catalog.service.list()) as unknown as Record<string, string[]>).web?.toSorted(), [
    'eu',
    'v1',
  ]);
  const nodes = (await consul.catalog.service.nodes('web')) as unknown as { ServiceID: string; ServicePort: number }[];
  assert.deepEqual(
    nodes.map(({ ServiceID, ServicePort }) => [ServiceID, ServicePort]),
    [['web-1', 8080]],
  );
  await consul.agent.service.deregister('web-1');
  assert.deepEqual(await consul.health.service('web'), []);
  await assert.rejects(consul.agent.service.deregister('web-1'), isNotFound);
});

test('checks pass, warn and fail, and maintenance takes an instance out and back', async () => {
  await consul.agent.service.register({ id: 'c-1', name: 'checked', port: 80, check: { ttl: '60s' } } as never);
  const id = 'service:c-1';
  assert.equal(await passing('checked'), '');
  await consul.agent.check.pass(id);
  assert.equal(await passing('checked'), 'c-1');
  await consul.agent.check.warn({ id, note: 'nearly full' });
  const [check] = await consul.health.checks('checked');
  assert.deepEqual([check?.Status, check?.Output], ['warning', 'nearly full']);
  await consul.agent.check.fail(id);
  assert.equal(await passing('checked'), '');
  await consul.agent.check.pass(id);
  await consul.agent.service.maintenance({ id: 'c-1', enable: true, reason: 'a disk' });
  assert.equal(await passing('checked'), '');
  assert.ok((await consul.health.state('critical')).some(({ CheckID }) => CheckID === '_service_maintenance:c-1'));
  await consul.agent.service.maintenance({ id: 'c-1', enable: false });
  assert.equal(await passing('checked'), 'c-1');
  await assert.rejects(consul.agent.check.pass('nobody'), isNotFound);
});

test('a watch of a service hears every state, and its index only grows', async () => {
  const { heard, indexes, end } = watch(consul.health.service.bind(consul.health) as never, {
    service: 'watched',
    wait: '5s',
  });
  try {
    await until('an answer', async () => heard.length === 1);
    for (let count = 1; count <= 10; count++) {
      await consul.agent.service.register({ id: `w-${count}`, name: 'watched', port: 80 });
      await until(`instance ${count}`, async () => (heard.at(-1) as unknown[]).length === count);
    }
    assert.deepEqual(
      heard.map((set) => (set as unknown[]).length),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    await consul.agent.service.register({ id: 'other', name: 'not-watched', port: 80 });
    await consul.kv.set('noise', '1');
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(heard.length, 11);
    const numbers = indexes.map(Number);
    assert.ok(numbers.every((index, at) => index > 0 && (at === 0 || index > (numbers[at - 1] as number))));
  } finally {
    end();
  }
});

test('keys are set, read, listed, compared, watched and deleted', async () => {
  const key = 'config/app.json';
  const { heard, end } = watch(consul.kv.get.bind(consul.kv) as never, { key, wait: '5s' });
  try {
    assert.equal(await consul.kv.set(key, '{"a":"größe"}'), true);
    assert.equal((await consul.kv.get(key))?.Value, '{"a":"größe"}');
    await until('the value', async () => (heard.at(-1) as { Value?: string })?.Value === '{"a":"größe"}');
    const { ModifyIndex } = (await consul.kv.get(key)) as { ModifyIndex: number };
    assert.equal(await consul.kv.set({ key, value: 'two', cas: ModifyIndex }), true);
    assert.ok(!(await consul.kv.set({ key, value: 'three', cas: ModifyIndex })));
    assert.ok(!(await consul.kv.set({ key, value: 'three', cas: 0 })));
    await until('the second value', async () => (heard.at(-1) as { Value?: string })?.Value === 'two');
    await consul.kv.set('config/deep/er', 'x');
    assert.deepEqual(await consul.kv.keys({ key: 'config/', separator: '/' }), ['config/app.json', 'config/deep/']);
    assert.equal(((await consul.kv.get({ key: 'config/', recurse: true })) as unknown[]).length, 2);
    await consul.kv.del({ key: 'config/', recurse: true });
    // The client gives nothing for what is not there.
    assert.equal((await consul.kv.get(key)) ?? undefined, undefined);
  } finally {
    end();
  }
});

test('a lock is held by one session, and is free when the session is gone', async () => {
  const session = async () => (await consul.session.create({ name: 'worker', ttl: '10s', lockdelay: '1ms' })).ID;
  const [one, two] = [await session(), await session()];
  const take = (id: string) => consul.kv.set({ key: 'lock', value: id, acquire: id });
  assert.equal(await take(one), true);
  // The client gives nothing for `false`.
  assert.ok(!(await take(two)));
  assert.equal(((await consul.kv.get('lock')) as { Session?: string } | null)?.Session, one);
  await consul.session.renew(one);
  await consul.session.destroy(one);
  await until('the lock', () => take(two));
  assert.equal(await consul.kv.set({ key: 'lock', value: '', release: two }), true);
  await consul.session.destroy(two);
});

test('a transaction happens as a whole or not at all', async () => {
  const { Results } = await consul.transaction.create([
    { KV: { Verb: 'set', Key: 'txn/a', Value: Buffer.from('1').toString('base64') } },
    { KV: { Verb: 'set', Key: 'txn/b', Value: Buffer.from('2').toString('base64') } },
  ] as never);
  assert.equal(Results?.length, 2);
  const conflict = consul.transaction.create([
    { KV: { Verb: 'set', Key: 'txn/a', Value: Buffer.from('9').toString('base64') } },
    { KV: { Verb: 'check-not-exists', Key: 'txn/b' } },
  ] as never);
  await assert.rejects(conflict, (error: { statusCode?: number }) => error.statusCode === 409);
  assert.equal((await consul.kv.get('txn/a'))?.Value, '1');
});

test('events are fired and listed, and the agent says who it is', async () => {
  const fired = await consul.event.fire('deploy', 'v2');
  assert.ok((await consul.event.list('deploy')).some(({ ID }) => ID === fired.ID));
  const self = await consul.agent.self();
  assert.equal(self.Config.Datacenter, 'dc1');
  assert.deepEqual(await consul.catalog.datacenters(), ['dc1']);
  assert.match(String(await consul.status.leader()), /^127\.0\.0\.1:\d+$/);
  assert.equal(((await consul.status.peers()) as unknown[]).length, 1);
  assert.equal((await consul.agent.members()).length, 1);
  assert.ok('consul' in (await consul.catalog.service.list()));
});

test('what was taken survives a kill, watches of the client go on, and indexes do not go back', async () => {
  await consul.agent.service.register({ id: 'k-1', name: 'kept', port: 80 });
  await consul.kv.set('kept', 'yes');
  const { heard, indexes, end } = watch(consul.health.service.bind(consul.health) as never, {
    service: 'kept',
    wait: '5s',
  });
  try {
    await until('the instance', async () => heard.length === 1);
    const before = Number(indexes.at(-1));
    await registry.kill();
    await registry.start();
    assert.equal(await passing('kept'), 'k-1');
    assert.equal((await consul.kv.get('kept'))?.Value, 'yes');
    await consul.agent.service.register({ id: 'k-2', name: 'kept', port: 80 });
    await until('the second', async () => (heard.at(-1) as unknown[]).length === 2);
    assert.ok(Number(indexes.at(-1)) > before);
  } finally {
    end();
  }
});
