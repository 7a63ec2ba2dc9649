import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningRegistry, startRegistry, turn } from './world.ts';

let registry: RunningRegistry;
before(async () => {
  registry = await startRegistry();
});
after(() => registry.stop());

const UP = { ready: true, serving: true, terminating: false };
const STARTING = { ready: false, serving: false, terminating: false };
const DRAINING = { ready: false, serving: true, terminating: true };

const put = (id: string, incarnation: string, conditions: object = UP, query = '') =>
  registry.put(`/souk/v1/instances/${id}${query}`, {
    ...{ service: 'orders', address: '10.0.0.1', port: 80, protocol: 'http', version: '2', zone: 'a', weight: 3 },
    ...{ tags: ['t'], meta: { k: 'v' }, incarnation, ttl: '15s', ...conditions },
  });
const beat = (id: string, incarnation: string, conditions?: object) =>
  registry.put(`/souk/v1/heartbeats/${id}?incarnation=${incarnation}`, conditions);
const find = async (id: string) =>
  (await registry.get('/souk/v1/instances?service=orders'))
    .json()
    .instances.find((one: { id: string }) => one.id === id);
const consul = async (id: string) => {
  const all = (await registry.get('/v1/health/service/orders')).json();
  return all
    .find((one: { Service: { ID: string } }) => one.Service.ID === id)
    .Checks.filter((check: { Status: string }) => check.Status !== 'passing')
    .map((check: { CheckID: string }) => check.CheckID);
};

test('all three conditions are shown, and Consul sees what is not ready as critical', async () => {
  await put('a', 'run-1', STARTING);
  const { ready, serving, terminating, reason } = await find('a');
  assert.deepEqual({ ready, serving, terminating, reason }, { ...STARTING, reason: 'starting' });
  assert.deepEqual(await consul('a'), ['service:a']);
  await beat('a', 'run-1', UP);
  const up = await find('a');
  assert.deepEqual(
    [up.ready, up.serving, up.terminating, up.reason, up.weight, up.version, up.zone, up.incarnation],
    [true, true, false, '', 3, '2', 'a', 'run-1'],
  );
  assert.deepEqual(await consul('a'), []);
  await beat('a', 'run-1', DRAINING);
  const draining = await find('a');
  assert.deepEqual([draining.ready, draining.serving, draining.terminating], [false, true, true]);
  assert.deepEqual(await consul('a'), ['_service_maintenance:a']);
});

test('there is no way back from draining but a new run, and an old run is told that it is over', async () => {
  const back = await beat('a', 'run-1', UP);
  assert.equal(back.status, 409);
  assert.match(back.text, /draining/);
  assert.equal((await put('a', 'run-2')).status, 200);
  assert.equal((await find('a')).ready, true);
  assert.deepEqual(await consul('a'), []);
  for (const answer of [
    await beat('a', 'run-1'),
    await put('a', 'run-1'),
    await registry.send('DELETE', '/souk/v1/instances/a?incarnation=run-1'),
  ]) {
    assert.equal(answer.status, 409);
    assert.match(answer.text, /^stale incarnation/);
  }
  assert.equal((await find('a')).incarnation, 'run-2');
});

test('a heartbeat that says nothing new costs no revision, and one of an unknown instance asks to register', async () => {
  const { revisions } = registry.server.state;
  const { current } = revisions;
  assert.equal((await beat('a', 'run-2')).status, 200);
  assert.equal((await beat('a', 'run-2', UP)).status, 200);
  assert.equal((await put('a', 'run-2')).status, 200);
  assert.equal(revisions.current, current);
  assert.equal((await beat('nobody', 'x')).status, 404);
});

test('what contradicts itself is refused', async () => {
  assert.equal((await put('b', '')).status, 400);
  assert.equal((await put('b', 'x', { ready: true, serving: true, terminating: true })).status, 400);
  assert.equal(
    (await registry.put('/souk/v1/instances/b', { service: 'orders', incarnation: 'x', weight: -1 })).status,
    400,
  );
});

test('changes since a revision are told one by instance, and a reader may wait for them', async () => {
  const { rev } = (await registry.get('/souk/v1/instances?service=orders')).json();
  const held = registry.get(`/souk/v1/changes?service=orders&from=${rev}&wait=60s`);
  while (registry.server.state.revisions.waiters === 0) await turn();
  await put('c', 'run-1');
  const first = (await held).json();
  assert.deepEqual(
    first.changes.map((one: { op: string; id: string }) => [one.op, one.id]),
    [['put', 'c']],
  );
  await beat('c', 'run-1', DRAINING);
  await registry.send('DELETE', '/souk/v1/instances/c?incarnation=run-1');
  const second = (await registry.get(`/souk/v1/changes?service=orders&from=${first.rev}`)).json();
  assert.deepEqual(
    second.changes.map((one: { op: string; id: string }) => [one.op, one.id]),
    [['delete', 'c']],
  );
  assert.ok(second.rev > first.rev);
});

test('who was away for too long lists again', async () => {
  const { current } = registry.server.state.revisions;
  assert.equal((await registry.get('/souk/v1/changes?from=1')).status, 410);
  assert.equal((await registry.get(`/souk/v1/changes?from=${current + 1000}`)).status, 410);
  assert.equal((await registry.get('/souk/v1/changes?from=x')).status, 400);
  for (let count = 0; count < 300; count += 1) await put(`many-${count}`, 'run-1');
  const answer = (await registry.get(`/souk/v1/changes?service=orders&from=${current}`)).json();
  assert.deepEqual([answer.resync, answer.changes], [true, []]);
});

test('what an operator put into maintenance stays there while its instance is well', async () => {
  await put('m', 'run-1');
  await registry.put('/v1/agent/service/maintenance/m?enable=true&reason=disk');
  await beat('m', 'run-1', { ready: false, serving: true, terminating: false });
  await registry.put('/v1/agent/service/maintenance/m?enable=true&reason=disk');
  await beat('m', 'run-1', UP);
  const { ready, serving, reason } = await find('m');
  assert.deepEqual([ready, serving, reason], [false, true, 'disk']);
});

test('the guard is shown, and can be overruled', async () => {
  assert.equal((await registry.get('/souk/v1/guard')).json().active, false);
  assert.deepEqual((await registry.put('/souk/v1/guard/force-remove')).json(), { removed: [] });
});

test('an instance that registers through Consul has its conditions and its run in its meta', async () => {
  const viaConsul = (incarnation: string, conditions: string, again = '') =>
    registry.put(`/v1/agent/service/register?replace-existing-checks=true${again}`, {
      ...{ ID: 'v', Name: 'orders', Address: '10.0.0.2', Port: 81 },
      Meta: {
        mine: 'x',
        'souk-incarnation': incarnation,
        'souk-conditions': conditions,
        'souk-zone': 'b',
        'souk-weight': '0',
      },
      Check: { CheckID: `souk:v:${incarnation}`, TTL: '15s', Status: 'passing' },
    });
  await viaConsul('run-1', 'ready serving');
  const up = await find('v');
  assert.deepEqual([up.ready, up.zone, up.weight, up.incarnation, up.meta], [true, 'b', 0, 'run-1', { mine: 'x' }]);
  await viaConsul('run-1', 'serving terminating');
  const { ready, serving, terminating } = await find('v');
  assert.deepEqual({ ready, serving, terminating }, DRAINING);
  assert.equal((await viaConsul('run-1', 'ready serving')).status, 409);
  assert.equal((await viaConsul('run-2', 'ready serving')).status, 200);
  assert.match((await viaConsul('run-1', 'ready serving')).text, /^stale incarnation/);
  assert.equal((await find('v')).incarnation, 'run-2');
  // What has forgotten them all hears of a later run before it hears of an earlier one.
  await registry.put('/v1/agent/service/deregister/v', {});
  await viaConsul('run-2', 'ready serving', '&souk-again');
  assert.match((await viaConsul('run-1', 'ready serving', '&souk-again')).text, /^stale incarnation/);
  assert.equal((await viaConsul('run-2', 'ready serving', '&souk-again')).status, 200);
});

test('of two runs that come back after all was forgotten the later one stays, whichever comes first', async () => {
  for (const order of [
    ['run-1', 'run-2'],
    ['run-2', 'run-1'],
  ]) {
    for (const run of order) await put('twice', run, UP, '?again');
    assert.equal((await find('twice')).incarnation, 'run-2');
    assert.equal((await put('twice', 'run-2', UP, '?again')).status, 200);
    await registry.send('DELETE', '/souk/v1/instances/twice?incarnation=run-2');
  }
  // One that begins is the latest, whatever its clock said.
  await put('twice', 'run-2');
  assert.equal((await put('twice', 'run-1')).status, 200);
  assert.equal((await put('twice', 'run-2', UP, '?again')).status, 409);
  assert.equal((await find('twice')).incarnation, 'run-1');
});
