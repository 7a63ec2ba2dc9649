import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningRegistry, startRegistry } from './world.ts';

let registry: RunningRegistry;
before(async () => {
  registry = await startRegistry();
  for (const [node, tags, status] of [
    ['n1', ['a', 'B'], 'passing'],
    ['n2', ['a'], 'warning'],
    ['n3', [], 'critical'],
  ] as const) {
    const answer = await registry.put('/v1/catalog/register', {
      ...{ Node: node, Address: `10.0.0.${node.slice(1)}`, NodeMeta: { rack: node } },
      Service: { ID: `db-${node}`, Service: 'db', Port: 5432, Tags: tags },
      Check: { CheckID: 'alive', Name: 'alive', Status: status, ServiceID: `db-${node}` },
    });
    assert.deepEqual([answer.status, answer.text], [200, 'true']);
  }
});
after(() => registry.stop());

const ids = async (path: string): Promise<string[]> =>
  (await registry.get(path)).json().map((one: { Service: { ID: string } }) => one.Service.ID);

test('health shows node, service and checks, by status, tags and meta of the node', async () => {
  assert.deepEqual(await ids('/v1/health/service/db'), ['db-n1', 'db-n2', 'db-n3']);
  assert.deepEqual(await ids('/v1/health/service/db?passing'), ['db-n1']);
  assert.deepEqual(await ids('/v1/health/service/db?passing=false&tag=a'), ['db-n1', 'db-n2']);
  assert.deepEqual(await ids('/v1/health/service/db?tag=a&tag=b'), ['db-n1']);
  assert.deepEqual(await ids('/v1/health/service/db?node-meta=rack:n2'), ['db-n2']);
  assert.deepEqual(await ids(`/v1/health/service/db?filter=${encodeURIComponent('Node.Node == n3')}`), ['db-n3']);
  assert.equal((await registry.get('/v1/health/service/db?filter=%28')).status, 400);
  const [{ Node, Service, Checks }] = (await registry.get('/v1/health/service/db')).json();
  assert.deepEqual(Object.keys(Node), [
    ...['ID', 'Node', 'Address', 'Datacenter', 'TaggedAddresses', 'Meta', 'CreateIndex', 'ModifyIndex'],
  ]);
  assert.deepEqual([Node.Node, Node.Address, Node.Meta], ['n1', '10.0.0.1', { rack: 'n1' }]);
  assert.deepEqual([Service.ID, Service.Service, Service.Port, Service.Address], ['db-n1', 'db', 5432, '']);
  assert.deepEqual([Checks.length, Checks[0].CheckID, Checks[0].ServiceName], [1, 'alive', 'db']);
});

test('an unknown service is an empty list', async () => {
  const answer = await registry.get('/v1/health/service/nope');
  assert.deepEqual([answer.status, answer.json()], [200, []]);
});

test('checks are listed by service, node and state', async () => {
  const count = async (path: string) => (await registry.get(path)).json().length;
  assert.equal(await count('/v1/health/checks/db'), 3);
  assert.equal(await count('/v1/health/node/n1'), 1);
  assert.equal(await count('/v1/health/state/critical'), 1);
  assert.equal(await count('/v1/health/state/any'), 4);
});

test('the catalog lists services, nodes and where they run', async () => {
  assert.deepEqual((await registry.get('/v1/catalog/services')).json(), { consul: [], db: ['B', 'a'] });
  assert.deepEqual((await registry.get('/v1/catalog/services?node-meta=rack:n2')).json(), { db: ['a'] });
  const nodes = (await registry.get('/v1/catalog/nodes')).json();
  assert.deepEqual(nodes.map((one: { Node: string }) => one.Node).sort(), ['n1', 'n2', 'n3', 'souk-registry']);
  const [flat] = (await registry.get('/v1/catalog/service/db?tag=b')).json();
  assert.deepEqual(
    [flat.Node, flat.ServiceID, flat.ServiceName, flat.ServicePort, flat.ServiceTags, flat.NodeMeta],
    ['n1', 'db-n1', 'db', 5432, ['a', 'B'], { rack: 'n1' }],
  );
  const { Node, Services } = (await registry.get('/v1/catalog/node/n1')).json();
  assert.deepEqual([Node.Node, Object.keys(Services)], ['n1', ['db-n1']]);
  assert.equal((await registry.get('/v1/catalog/node/nope')).text, 'null');
  assert.deepEqual((await registry.get('/v1/catalog/datacenters')).json(), ['dc1']);
});

test('a registration without node or address, and a check of an unknown service, are refused', async () => {
  const missing = await registry.put('/v1/catalog/register', { Node: 'x' });
  assert.deepEqual([missing.status, missing.text], [400, 'Must provide node and address']);
  const orphan = await registry.put('/v1/catalog/register', {
    ...{ Node: 'x', Address: '10.0.0.9', Check: { Name: 'c', ServiceID: 'nope' } },
  });
  assert.equal(orphan.status, 404);
  assert.equal((await registry.get('/v1/catalog/node/x')).text, 'null');
});

test('what is taken out is gone, with what was on it; taking out again is no error', async () => {
  const out = async (what: object) => (await registry.put('/v1/catalog/deregister', what)).text;
  assert.equal(await out({ Node: 'n2', CheckID: 'alive' }), 'true');
  assert.deepEqual(await ids('/v1/health/service/db?passing'), ['db-n1', 'db-n2']);
  assert.equal(await out({ Node: 'n2', ServiceID: 'db-n2' }), 'true');
  assert.equal(await out({ Node: 'n3' }), 'true');
  assert.equal(await out({ Node: 'n3' }), 'true');
  assert.deepEqual(await ids('/v1/health/service/db'), ['db-n1']);
  assert.equal((await registry.get('/v1/catalog/nodes')).json().length, 3);
});
