import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentWorld } from '../../test/agent-world.ts';

const TTL = { TTL: '10s' };

test('an instance with a TTL check starts critical, passes when it says so, and is critical when it falls silent', async () => {
  const { runtime, catalog, register, push } = await agentWorld();
  const check = () => catalog.check('node', 'service:a');
  await register('a', TTL);
  assert.equal(check()?.status, 'critical');
  await push('service:a', 'passing', 'all is well');
  assert.equal(check()?.status, 'passing');
  await runtime.advance(10_300);
  assert.equal(check()?.status, 'critical');
  assert.equal(check()?.output, 'TTL expired (last output before timeout follows): all is well');
  await push('service:a', 'passing', '');
  assert.equal(check()?.status, 'passing');
});

test('a heartbeat that changes nothing wakes nobody; a text that changed is told later', async () => {
  const { runtime, revisions, catalog, register, push } = await agentWorld();
  await register('a', { TTL: '1h' });
  await push('service:a', 'passing', 'one');
  const { current } = revisions;
  await push('service:a', 'passing', 'one');
  await push('service:a', 'passing', 'two');
  assert.equal(revisions.current, current);
  assert.equal(catalog.check('node', 'service:a')?.output, 'two');
  await runtime.advance(300_000);
  assert.ok(revisions.indexOf('service:web') > current);
});

test('who registers again keeps the status of its check, and its other checks unless it replaces them', async () => {
  const { catalog, register, push, run, agent } = await agentWorld();
  await register('a', TTL);
  await push('service:a', 'passing', 'fine');
  await run((change) => agent.setMaintenance(change, 'a', true, ''));
  await register('a', { ...TTL, CheckID: 'another' });
  const ids = () => [...catalog.checksOfInstance('node', 'a')].map(({ id }) => id).sort();
  assert.deepEqual(ids(), ['_service_maintenance:a', 'another', 'service:a']);
  assert.equal(catalog.check('node', 'service:a')?.status, 'passing');
  await register('a', TTL, true);
  assert.deepEqual(ids(), ['_service_maintenance:a', 'service:a']);
  const { status, output } = catalog.check('node', 'service:a') ?? {};
  assert.deepEqual([status, output], ['passing', 'fine']);
});

test('an instance that goes takes its checks and leases along, also when the catalog removes it', async () => {
  const { catalog, agent, register, run, push } = await agentWorld();
  await register('a', TTL);
  await register('b', TTL);
  assert.equal(agent.leases, 2);
  await run((change) => agent.deregisterService(change, 'a'));
  await run((change) => catalog.deleteInstance(change, 'node', 'b'));
  assert.equal(agent.leases, 0);
  await assert.rejects(push('service:a', 'passing', ''), { reason: 'REGISTRY_UNKNOWN_CHECK_ID' });
  await assert.rejects(
    run((change) => agent.deregisterService(change, 'a')),
    { reason: 'REGISTRY_UNKNOWN_SERVICE_ID' },
  );
});

test('nobody takes out what the registry says of itself', async () => {
  const { agent, run } = await agentWorld();
  await assert.rejects(
    run((change) => agent.deregisterService(change, 'consul')),
    { reason: 'REGISTRY_UNKNOWN_SERVICE_ID' },
  );
  await assert.rejects(
    run((change) => agent.deregisterCheck(change, 'serfHealth')),
    { reason: 'REGISTRY_UNKNOWN_CHECK_ID' },
  );
});
