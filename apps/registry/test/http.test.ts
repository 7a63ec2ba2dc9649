import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type RunningRegistry, startRegistry } from './world.ts';

let registry: RunningRegistry;
before(async () => {
  registry = await startRegistry();
});
after(() => registry.stop());

test('the root says who it is, and what is not there is 404 without a word', async () => {
  assert.equal((await registry.get('/')).text, 'Consul Agent');
  for (const path of ['/v1/nothing', '/v1/acl/tokens', '/v1/connect/ca/roots', '/v1/query', '/v1/coordinate/nodes']) {
    const answer = await registry.get(path);
    assert.deepEqual([answer.status, answer.text], [404, ''], path);
  }
});

test('a wrong method is told which ones are right', async () => {
  const wrong = await registry.send('POST', '/v1/agent/service/register', { body: '{}' });
  assert.deepEqual([wrong.status, wrong.text], [405, 'method POST not allowed']);
  assert.equal(wrong.headers.get('allow'), 'OPTIONS,PUT');
  const options = await registry.send('OPTIONS', '/v1/agent/service/register');
  assert.deepEqual([options.status, options.headers.get('allow')], [200, 'OPTIONS,PUT']);
});

test('reads carry the four headers, and say which consistency was asked for', async () => {
  for (const [query, consistency] of [
    ['', 'leader'],
    ['?stale', 'stale'],
    ['?consistent', 'consistent'],
    ['?leader', 'leader'],
  ] as const) {
    const { headers } = await registry.get(`/v1/catalog/services${query}`);
    assert.ok(Number(headers.get('x-consul-index')) >= 1);
    assert.equal(headers.get('x-consul-knownleader'), 'true');
    assert.equal(headers.get('x-consul-lastcontact'), '0');
    assert.equal(headers.get('x-consul-effective-consistency'), consistency);
    assert.equal(headers.get('content-type'), 'application/json');
  }
  const both = await registry.get('/v1/catalog/services?stale&consistent');
  assert.equal(both.status, 400);
  assert.equal(both.text, 'Cannot specify ?stale with ?consistent, conflicting semantics.');
  assert.equal((await registry.get('/v1/catalog/services?cached')).headers.get('x-cache'), 'MISS');
});

test('JSON is laid out for people on request, and HEAD has no body', async () => {
  assert.equal((await registry.get('/v1/catalog/datacenters?pretty')).text, '[\n    "dc1"\n]\n');
  assert.match((await registry.get('/v1/health/service/consul?pretty')).text, /^\[\n {4}\{\n {8}"Node": \{\n/);
  const head = await registry.send('HEAD', '/v1/catalog/nodes');
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('another datacenter is out of reach', async () => {
  const answer = await registry.get('/v1/catalog/services?dc=elsewhere');
  assert.deepEqual([answer.status, answer.text], [500, 'No path to datacenter']);
  assert.equal((await registry.get('/v1/catalog/services?dc=dc1')).status, 200);
});

test('a token is taken and never minded', async () => {
  assert.equal((await registry.get('/v1/catalog/services?token=x')).status, 200);
  assert.equal((await registry.get('/v1/catalog/services', { headers: { 'x-consul-token': 'x' } })).status, 200);
});

test('bodies that are too large, broken or of the wrong kind are refused, and the connection lives', async () => {
  const large = await registry.put('/v1/agent/service/register', 'x'.repeat(600 * 1024));
  assert.equal(large.status, 413);
  assert.match(large.text, /^Request body\(614400 bytes\) too large, max size: 524288 bytes\./);
  const refused: Array<[string, RegExp]> = [
    ['{', /^Request decode failed: the body is not JSON$/],
    ['[]', /^Request decode failed: the body: want an object$/],
    ['{"Name":1}', /^Request decode failed: Name: want a text$/],
    ['{"Name":"a","Port":"80"}', /^Request decode failed: Port: want a whole number$/],
    ['{"Name":"a","Check":{"TTL":"x"}}', /^Request decode failed: TTL: want a duration/],
  ];
  for (const [body, text] of refused) {
    const answer = await registry.put('/v1/agent/service/register', body);
    assert.equal(answer.status, 400);
    assert.match(answer.text, text);
  }
});

test('a path that is not percent-encoded is refused', async () => {
  assert.equal((await registry.get('/v1/health/service/%E0%A4%A')).status, 400);
});

test('a name with a slash, a blank or in another case finds its service', async () => {
  await registry.put('/v1/agent/service/register', { Name: 'Team A/Web' });
  const found = await registry.get(`/v1/health/service/${encodeURIComponent('team a/web')}`);
  assert.equal(found.json()[0].Service.Service, 'Team A/Web');
  assert.equal((await registry.get('/v1/catalog/service/Team%20A/Web')).json().length, 1);
  assert.equal((await registry.put(`/v1/agent/service/deregister/${encodeURIComponent('Team A/Web')}`)).status, 200);
});

test('a client has so many connections and no more, and gets them back', async () => {
  const own = await startRegistry({ maxConnectionsPerClient: 3 });
  const { port } = new URL(own.url);
  const dial = () =>
    new Promise<{ readonly said: Promise<string>; readonly end: () => void }>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        const said = new Promise<string>((heard) => {
          let text = '';
          socket.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          socket.once('close', () => heard(text));
        });
        resolve({ said, end: () => void socket.end() });
      });
    });
  const open = [await dial(), await dial(), await dial()];
  const refused = await dial();
  assert.match(await refused.said, /^HTTP\/1\.1 429 /);
  for (const one of open) one.end();
  await Promise.all(open.map(({ said }) => said));
  assert.equal((await own.get('/')).status, 200);
  await own.stop();
});

test('numbers for Prometheus and for Consul', async () => {
  const page = await registry.get('/v1/agent/metrics?format=prometheus');
  assert.match(page.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(page.text, /souk_registry_requests_total\{.*path="\/v1\/catalog\/services".*\} \d+/);
  assert.match(page.text, /souk_registry_instances\{.*status="passing".*\} 1/);
  const { Gauges } = (await registry.get('/v1/agent/metrics')).json();
  assert.ok(Gauges.some((one: { Name: string }) => one.Name === 'revision'));
});
