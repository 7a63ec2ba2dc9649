import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningRegistry, startRegistry, turn } from './world.ts';

let registry: RunningRegistry;
before(async () => {
  registry = await startRegistry({ maxConnectionsPerClient: 5000 });
});
after(() => registry.stop());

const register = (name: string, port = 1) => registry.put('/v1/agent/service/register', { Name: name, Port: port });
const indexOf = (answer: { readonly headers: Headers }): number => Number(answer.headers.get('x-consul-index'));

/** Until so many reads wait. */
async function waiting(count: number): Promise<void> {
  while (registry.server.state.revisions.waiters !== count) await turn();
}

test('a blocking read answers as soon as its service changes, and not for another', async () => {
  await register('web');
  const index = indexOf(await registry.get('/v1/health/service/web'));
  let answered = false;
  const held = registry.get(`/v1/health/service/web?index=${index}&wait=60s`).then((answer) => {
    answered = true;
    return answer;
  });
  await waiting(1);
  await register('other');
  await registry.put('/v1/kv/key', 'value');
  assert.equal(answered, false);
  await register('web', 2);
  const answer = await held;
  assert.ok(indexOf(answer) > index);
  assert.equal(answer.json()[0].Service.Port, 2);
});

test('an unknown service blocks, with an index of at least 1, until it is registered', async () => {
  const first = await registry.get('/v1/health/service/late');
  assert.deepEqual(first.json(), []);
  assert.ok(indexOf(first) >= 1);
  const held = registry.get(`/v1/health/service/late?index=${indexOf(first)}&wait=60s`);
  await waiting(1);
  await register('late');
  assert.equal((await held).json().length, 1);
});

test('time over answers the same data with the same index', async () => {
  await register('calm');
  const index = indexOf(await registry.get('/v1/health/service/calm'));
  const answer = await registry.get(`/v1/health/service/calm?index=${index}&wait=10ms`);
  assert.equal(answer.status, 200);
  assert.equal(indexOf(answer), index);
});

test('index 0 and an index from another life are answered at once', async () => {
  for (const index of ['0', '999999999']) {
    const answer = await registry.get(`/v1/catalog/services?index=${index}&wait=60s`);
    assert.equal(answer.status, 200);
    assert.ok(indexOf(answer) < 999999999);
  }
});

test('what is no index and no time is refused', async () => {
  for (const [query, text] of [
    ['index=x', 'Invalid index'],
    ['index=-1', 'Invalid index'],
    ['index=1&wait=x', 'Invalid wait time'],
    ['index=1&wait=10', 'Invalid wait time'],
  ] as const) {
    const answer = await registry.get(`/v1/health/service/web?${query}`);
    assert.deepEqual([answer.status, answer.text], [400, text]);
  }
});

test('a thousand readers that hang up leave nothing behind', async () => {
  await register('watched');
  const index = indexOf(await registry.get('/v1/health/service/watched'));
  const gone = new AbortController();
  const reads = Array.from({ length: 1000 }, () =>
    registry.get(`/v1/health/service/watched?index=${index}&wait=60s`, { signal: gone.signal }).then(
      () => assert.fail('answered'),
      () => {},
    ),
  );
  await waiting(1000);
  gone.abort();
  await Promise.all(reads);
  await waiting(0);
  while (registry.server.state.pendingRequests > 0) await turn();
});

test('all who wait for the same are told the same', async () => {
  await register('shared');
  const index = indexOf(await registry.get('/v1/health/service/shared'));
  const reads = Array.from({ length: 200 }, () => registry.get(`/v1/health/service/shared?index=${index}&wait=60s`));
  await waiting(200);
  await register('shared', 7);
  const bodies = new Set((await Promise.all(reads)).map((answer) => `${indexOf(answer)} ${answer.text}`));
  assert.equal(bodies.size, 1);
});

test('an agent service blocks by its hash', async () => {
  await register('hashed');
  const first = await registry.get('/v1/agent/service/hashed');
  const hash = first.headers.get('x-consul-contenthash');
  assert.equal(first.json().ContentHash, hash);
  const held = registry.get(`/v1/agent/service/hashed?hash=${hash}&wait=60s`);
  await waiting(1);
  await register('another');
  await register('hashed', 9);
  const answer = await held;
  assert.equal(answer.json().Port, 9);
  assert.notEqual(answer.headers.get('x-consul-contenthash'), hash);
});

test('a registry that stops answers those who wait', async () => {
  const own = await startRegistry();
  const index = indexOf(await own.get('/v1/catalog/nodes'));
  assert.ok(index >= 2);
  const held = own.get(`/v1/catalog/nodes?index=${index}&wait=60s`);
  while (own.server.state.revisions.waiters !== 1) await turn();
  await own.stop();
  assert.equal((await held).status, 200);
});
