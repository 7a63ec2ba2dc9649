import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningRegistry, startRegistry } from './world.ts';

let registry: RunningRegistry;
before(async () => {
  registry = await startRegistry();
});
after(() => registry.stop());

const register = (service: object) => registry.put('/v1/agent/service/register', service);

test('a service is listed as it was registered', async () => {
  const answer = await register({
    ...{ ID: 'web-1', Name: 'web', Tags: ['v1'], Address: '10.1.2.3', Port: 80, Meta: { zone: 'a' } },
    ...{ TaggedAddresses: { lan: { Address: '10.1.2.4', Port: 81 } }, Weights: { Passing: 3, Warning: 2 } },
  });
  assert.deepEqual([answer.status, answer.text], [200, '']);
  const { ContentHash, ...service } = (await registry.get('/v1/agent/service/web-1')).json();
  assert.match(ContentHash, /^[0-9a-f]{16}$/);
  assert.deepEqual(service, {
    ...{ ID: 'web-1', Service: 'web', Tags: ['v1'], Meta: { zone: 'a' }, Port: 80, Address: '10.1.2.3' },
    ...{ TaggedAddresses: { lan: { Address: '10.1.2.4', Port: 81 } }, Weights: { Passing: 3, Warning: 2 } },
    ...{ EnableTagOverride: false, Datacenter: 'dc1' },
  });
  assert.deepEqual((await registry.get('/v1/agent/services')).json()['web-1'], service);
  assert.deepEqual((await registry.get('/v1/agent/services?filter=Service==nothing')).json(), {});
});

test('the id is the name when there is none, weights are 1 and 1, lists and maps are never null', async () => {
  await register({ name: 'plain' });
  const { ID, Tags, Meta, Weights } = (await registry.get('/v1/agent/service/plain')).json();
  assert.deepEqual(
    { ID, Tags, Meta, Weights },
    { ID: 'plain', Tags: [], Meta: {}, Weights: { Passing: 1, Warning: 1 } },
  );
});

test('a registration that is wrong is refused in words clients know', async () => {
  const refused: Array<[object, string]> = [
    [{}, 'Missing service name'],
    [{ Name: 'x', Address: '0.0.0.0' }, 'Invalid service address'],
    [{ Name: 'x', Address: '::' }, 'Invalid service address'],
    [{ Name: 'x', Weights: { Passing: 0 } }, 'Invalid Weights: Passing must be greater than 0'],
    [{ Name: 'x', Weights: { Passing: 70000 } }, 'Invalid Weights: at most 65535'],
    [
      { Name: 'x', Meta: { 'a b': '' } },
      'Invalid Service Meta: a key has other characters than letters, digits, - and _',
    ],
    [{ Name: 'x', Check: { HTTP: 'http://x' } }, 'Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks'],
    [{ Name: 'x', Check: { TTL: '1s', Status: 'x' } }, "Status for checks must 'passing', 'warning', 'critical'"],
  ];
  for (const [service, text] of refused) {
    const answer = await register(service);
    assert.deepEqual([answer.status, answer.text], [400, text]);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
  }
  assert.equal((await registry.get('/v1/agent/service/x')).status, 404);
});

test('checks of a service are named after it, and counted when there are several', async () => {
  await register({ Name: 'one', Check: { TTL: '1h', Status: 'passing', Notes: 'n' } });
  await register({ Name: 'two', Checks: [{ TTL: '1h' }, { TTL: '1h', CheckID: 'mine', Name: 'My check' }] });
  await register({ Name: 'none', Check: {} });
  const checks = (await registry.get('/v1/agent/checks')).json();
  assert.deepEqual(Object.keys(checks).sort(), ['mine', 'service:one', 'service:two:1']);
  const { CreateIndex, ModifyIndex, ...one } = checks['service:one'];
  assert.equal(CreateIndex, ModifyIndex);
  assert.deepEqual(one, {
    ...{ Node: 'souk-registry', CheckID: 'service:one', Name: "Service 'one' check", Status: 'passing', Notes: 'n' },
    ...{ Output: '', ServiceID: 'one', ServiceName: 'one', ServiceTags: [], Type: 'ttl', Interval: '', Timeout: '' },
    Definition: { TTL: '1h0m0s' },
  });
});

test('what is not known is 404 with the words that help', async () => {
  const hint = (kind: string) =>
    `Unknown ${kind} ID "nope". Ensure that the ${kind} ID is passed, not the ${kind} name.`;
  const cases: Array<[string, string, number, string]> = [
    ['PUT', '/v1/agent/service/deregister/nope', 404, hint('service')],
    ['PUT', '/v1/agent/service/maintenance/nope?enable=true', 404, hint('service')],
    ['GET', '/v1/agent/service/nope', 404, 'unknown service ID: nope'],
    ['PUT', '/v1/agent/check/deregister/nope', 404, hint('check')],
    ['PUT', '/v1/agent/check/pass/nope', 404, hint('check')],
    ['PUT', '/v1/agent/check/warn/nope', 404, hint('check')],
    ['PUT', '/v1/agent/check/fail/nope', 404, hint('check')],
    ['PUT', '/v1/agent/service/maintenance/', 400, 'Missing service ID'],
    ['PUT', '/v1/agent/service/maintenance/web-1', 400, 'Missing value for enable'],
    ['PUT', '/v1/agent/service/maintenance/web-1?enable=x', 400, 'Invalid value for enable: "x"'],
    ['GET', '/v1/health/service/', 400, 'Missing service name'],
    ['GET', '/v1/health/service/web?passing=maybe', 400, 'Invalid value for ?passing'],
  ];
  for (const [method, path, status, text] of cases) {
    const answer = await registry.send(method, path);
    assert.deepEqual([answer.status, answer.text], [status, text], path);
  }
});

test('a TTL check is moved by its application, and a check of another kind is not', async () => {
  await register({ Name: 'ttl', Check: { TTL: '1h' } });
  await register({ Name: 'tcp', Check: { TCP: '127.0.0.1:1', Interval: '1h' } });
  const status = async () => {
    const { Status, Output } = (await registry.get('/v1/agent/checks')).json()['service:ttl'];
    return [Status, Output];
  };
  assert.deepEqual(await status(), ['critical', '']);
  await registry.put('/v1/agent/check/pass/service:ttl?note=fine');
  assert.deepEqual(await status(), ['passing', 'fine']);
  await registry.put('/v1/agent/check/warn/service:ttl');
  assert.deepEqual(await status(), ['warning', '']);
  await registry.put('/v1/agent/check/update/service:ttl', { Status: 'critical', Output: 'broken' });
  assert.deepEqual(await status(), ['critical', 'broken']);
  const wrong = await registry.put('/v1/agent/check/update/service:ttl', { Status: 'ok' });
  assert.deepEqual([wrong.status, wrong.text], [400, "Invalid check status: 'ok'"]);
  const other = await registry.put('/v1/agent/check/pass/service:tcp');
  assert.deepEqual([other.status, other.text], [500, 'CheckID "service:tcp" does not have associated TTL']);
});

test('a check may be registered alone, for the node or for a service', async () => {
  const put = (check: object) => registry.put('/v1/agent/check/register', check);
  assert.equal((await put({ Name: 'disk', TTL: '1h' })).status, 200);
  assert.equal((await put({ ID: 'extra', Name: 'x', ServiceID: 'web-1', TTL: '1h', Status: 'passing' })).status, 200);
  const refused: Array<[object, number, string]> = [
    [{ TTL: '1h' }, 400, 'Missing check name'],
    [{ Name: 'x', TTL: '1h', Status: 'x' }, 400, 'Bad check status'],
    [{ Name: 'x' }, 400, 'Invalid check: TTL must be > 0 for TTL checks'],
    [{ Name: 'x', TTL: '1h', ServiceID: 'nope' }, 404, 'ServiceID "nope" does not exist'],
  ];
  for (const [check, status, text] of refused) {
    const answer = await put(check);
    assert.deepEqual([answer.status, answer.text], [status, text]);
  }
  // A critical check of the node counts for every service on it.
  const ofWeb = (await registry.get('/v1/health/service/web')).json()[0].Checks;
  assert.deepEqual(
    ofWeb.map((check: { CheckID: string }) => check.CheckID),
    ['serfHealth', 'disk', 'extra'],
  );
  assert.deepEqual((await registry.get('/v1/health/service/web?passing')).json(), []);
  await registry.put('/v1/agent/check/deregister/disk');
  assert.equal((await registry.get('/v1/health/service/web?passing')).json().length, 1);
});

test('maintenance makes a service critical, and node maintenance all of them', async () => {
  await registry.put('/v1/agent/service/maintenance/web-1?enable=true&reason=moving');
  const { Status, Notes } = (await registry.get('/v1/agent/checks')).json()['_service_maintenance:web-1'];
  assert.deepEqual([Status, Notes], ['critical', 'moving']);
  await registry.put('/v1/agent/service/maintenance/web-1?enable=false');
  await registry.put('/v1/agent/maintenance?enable=true');
  assert.ok((await registry.get('/v1/agent/checks')).json()._node_maintenance);
  assert.deepEqual((await registry.get('/v1/health/service/web?passing')).json(), []);
  await registry.put('/v1/agent/maintenance?enable=false');
  assert.equal((await registry.get('/v1/health/service/web?passing')).json().length, 1);
});

test('the health of a service is a status code for those who read nothing else', async () => {
  await register({ Name: 'h', ID: 'h-1', Check: { TTL: '1h', Status: 'passing' } });
  const codes = async () => [
    (await registry.get('/v1/agent/health/service/id/h-1')).status,
    (await registry.get('/v1/agent/health/service/name/h?format=text')).text,
  ];
  assert.deepEqual(await codes(), [200, 'passing']);
  await registry.put('/v1/agent/check/warn/service:h-1');
  assert.deepEqual(await codes(), [429, 'warning']);
  await registry.put('/v1/agent/check/fail/service:h-1');
  assert.deepEqual(await codes(), [503, 'critical']);
  assert.equal((await registry.get('/v1/agent/health/service/id/nope')).status, 404);
  const one = (await registry.get('/v1/agent/health/service/id/h-1')).json();
  assert.deepEqual([one.AggregatedStatus, one.Service.ID, one.Checks.length], ['critical', 'h-1', 2]);
  assert.equal((await registry.get('/v1/agent/health/service/name/h')).json().length, 1);
});

test('the agent says who it is', async () => {
  const { Config, Member } = (await registry.get('/v1/agent/self')).json();
  assert.deepEqual([Config.Datacenter, Config.NodeName, Config.Server], ['dc1', 'souk-registry', true]);
  assert.equal(Member.Addr, '127.0.0.1');
  assert.equal((await registry.get('/v1/status/leader')).json(), '127.0.0.1:8300');
  assert.deepEqual((await registry.get('/v1/status/peers')).json(), ['127.0.0.1:8300']);
});

test('registries that join know each other, and one that is forced out is leaving', async () => {
  const other = await startRegistry({ nodeName: 'other' });
  const { host } = new URL(registry.url);
  assert.equal((await other.put(`/v1/agent/join/${host}`)).status, 200);
  const statusOf = async (name: string, at: RunningRegistry) =>
    (await at.get('/v1/agent/members')).json().find((one: { Name: string }) => one.Name === name)?.Status;
  assert.deepEqual([await statusOf('other', registry), await statusOf('souk-registry', other)], [1, 1]);
  await registry.put('/v1/agent/force-leave/other');
  assert.equal(await statusOf('other', registry), 2);
  assert.equal((await registry.put('/v1/agent/force-leave/nobody')).status, 404);
  await other.stop();
  const gone = await registry.put(`/v1/agent/join/${new URL(other.url).host}`);
  assert.equal(gone.status, 500);
  assert.equal((await registry.put('/v1/agent/join/8.8.8.8')).status, 403);
});
