import assert from 'node:assert/strict';
import { promises as dns } from 'node:dns';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { createRegistryServer } from '../src/index.ts';
import { defaults } from './world.ts';

async function started(t: TestContext, folder?: string) {
  const server = createRegistryServer({
    ...{ runtime: systemRuntime(), log: silentLogger, folder, settings: { ...defaults, commitDelay: 0 } },
    ...{ http: { host: '127.0.0.1', port: 0 }, dns: { host: '127.0.0.1', port: 0 } },
  });
  const { httpUrl, dnsPort } = await server.start();
  t.after(() => server.stop());
  const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${dnsPort}`]);
  const call = async (method: string, path: string, body?: unknown) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const reply = await fetch(httpUrl + path, { method, ...(body === undefined ? {} : { body: text }) });
    const answer = await reply.text();
    const isJson = reply.headers.get('content-type') === 'application/json';
    return { status: reply.status, text: answer, json: isJson ? JSON.parse(answer) : undefined };
  };
  return { server, resolver, call };
}

test('what an agent registers is found over DNS at once, and not any more once it is critical or gone', async (t) => {
  const { call, resolver } = await started(t);
  const web = {
    ID: 'web-1',
    Name: 'Web',
    Tags: ['v1'],
    Address: '10.1.2.3',
    Port: 8080,
    Weights: { Passing: 5, Warning: 1 },
  };
  await assert.rejects(resolver.resolveSrv('web.service.consul'), { code: 'ENOTFOUND' });
  await call('PUT', '/v1/agent/service/register', { ...web, Check: { TTL: '30s', Status: 'passing' } });
  const [srv] = await resolver.resolveSrv('_web._v1.service.dc1.consul');
  assert.deepEqual([srv?.name, srv?.port, srv?.priority, srv?.weight], ['0a010203.addr.dc1.consul', 8080, 1, 5]);
  assert.deepEqual(await resolver.resolve4('v1.web.service.consul'), ['10.1.2.3']);
  await call('PUT', '/v1/agent/check/warn/service:web-1');
  assert.equal((await resolver.resolveSrv('web.service.consul'))[0]?.weight, 1);
  await call('PUT', '/v1/agent/check/fail/service:web-1');
  await assert.rejects(resolver.resolve4('web.service.consul'), { code: 'ENOTFOUND' });
  await call('PUT', '/v1/agent/check/pass/service:web-1');
  assert.deepEqual(await resolver.resolve4('web.service.consul'), ['10.1.2.3']);
  await call('PUT', '/v1/agent/service/deregister/web-1');
  await assert.rejects(resolver.resolve4('web.service.consul'), { code: 'ENOTFOUND' });
  assert.deepEqual(await resolver.resolve4('consul.service.consul'), ['127.0.0.1']);
});

test('lists are filtered by expressions, and a bad expression is a 400 that says why', async (t) => {
  const { call } = await started(t);
  for (const [ID, zone] of [
    ['a', 'x'],
    ['b', 'y'],
  ] as const) {
    await call('PUT', '/v1/agent/service/register', { ID, Name: 'web', Port: 80, Tags: [ID], Meta: { zone } });
  }
  const ids = async (filter: string): Promise<string[]> => {
    const { json } = await call('GET', `/v1/health/service/web?filter=${encodeURIComponent(filter)}`);
    return json.map(({ Service }: { Service: { ID: string } }) => Service.ID);
  };
  assert.deepEqual(await ids('Service.Meta.zone == y'), ['b']);
  assert.deepEqual(await ids('a in Service.Tags or Service.Meta.zone matches "^[yz]$"'), ['a', 'b']);
  assert.deepEqual(await ids('Node.Node != nowhere and Checks is not empty and not Service.ID == a'), ['b']);
  const bad = await call('GET', '/v1/health/service/web?filter=Service.ID+=+a');
  assert.equal(bad.status, 400);
  assert.match(bad.text, /^Failed to create boolean expression evaluator: .* at character \d+$/);
});

test('keys, locks and sessions are there again after a restart, and the lock still has its holder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-registry-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const first = await started(t, folder);
  const { ID } = (await first.call('PUT', '/v1/session/create', { TTL: '30s' })).json;
  await first.call('PUT', `/v1/kv/lock?acquire=${ID}&flags=18446744073709551615`, 'held');
  await first.call('PUT', '/v1/kv/gone', 'x');
  await first.call('DELETE', '/v1/kv/gone');
  await first.call('PUT', '/v1/txn', [{ KV: { Verb: 'set', Key: 'a' } }, { KV: { Verb: 'set', Key: 'b' } }]);
  await first.call('PUT', '/v1/txn', [{ KV: { Verb: 'set', Key: 'c' } }, { KV: { Verb: 'get', Key: 'none' } }]);
  const before = (await first.call('GET', '/v1/kv/?recurse')).json;
  await first.server.stop();

  const second = await started(t, folder);
  assert.deepEqual((await second.call('GET', '/v1/kv/?recurse')).json, before);
  assert.deepEqual((await second.call('GET', '/v1/kv/?keys')).json, ['a', 'b', 'lock']);
  assert.equal((await second.call('GET', '/v1/kv/lock')).json[0].Session, ID);
  const other = (await second.call('PUT', '/v1/session/create')).json.ID;
  assert.equal((await second.call('PUT', `/v1/kv/lock?acquire=${other}`)).json, false);
  assert.equal((await second.call('PUT', `/v1/kv/lock?release=${ID}`)).json, true);
  assert.equal((await second.call('PUT', `/v1/kv/lock?acquire=${other}`)).json, true);
});
