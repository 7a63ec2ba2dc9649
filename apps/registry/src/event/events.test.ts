import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import { type VirtualKv, virtualKv } from '../../test/kv-world.ts';

const fire = async (kv: VirtualKv, name: string, body = '', query = '') =>
  (await kv.call('PUT', `/v1/event/fire/${name}${query}`, body)).json as Record<string, unknown>;
const list = async (kv: VirtualKv, query = '') => {
  const { json, headers } = await kv.call('GET', `/v1/event/list${query}`);
  return { events: json as Record<string, unknown>[], index: headers?.['X-Consul-Index'] ?? '' };
};
const indexOf = (id: unknown): string => {
  const hex = String(id).replaceAll('-', '');
  return String(BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`));
};

test('an event comes back as it was fired, the newest last', async () => {
  const kv = virtualKv();
  const first = await fire(kv, 'deploy', 'v1', '?node=a&service=web&tag=x');
  assert.deepEqual(first, {
    ...{ ID: first.ID, Name: 'deploy', Payload: Buffer.from('v1').toString('base64'), Version: 1, LTime: 1 },
    ...{ NodeFilter: 'a', ServiceFilter: 'web', TagFilter: 'x' },
  });
  const second = await fire(kv, 'other');
  assert.equal(second.Payload, null);
  assert.deepEqual((await list(kv)).events, [first, second]);
  assert.deepEqual((await list(kv, '?name=deploy')).events, [first]);
  await assert.rejects(fire(kv, ''), (error) => isSoukError(error) && error.message === 'Missing name');
});

test('the index is the two halves of the newest id, one over the other, and 1 when there is none', async () => {
  const kv = virtualKv();
  assert.deepEqual(await list(kv), { events: [], index: '1' });
  const first = await fire(kv, 'a');
  const second = await fire(kv, 'b');
  assert.equal((await list(kv)).index, indexOf(second.ID));
  assert.equal((await list(kv, '?name=a')).index, indexOf(first.ID));
});

test('a read waits while the newest event is the one it has seen, and for no other reason', async () => {
  const kv = virtualKv();
  const { index: none } = await list(kv, '?name=a');
  const waiting = kv.call('GET', `/v1/event/list?name=a&index=${none}&wait=10s`);
  await fire(kv, 'b');
  assert.equal(kv.world.revisions.waiters, 1);
  const seen = await fire(kv, 'a');
  assert.equal((await waiting).headers?.['X-Consul-Index'], indexOf(seen.ID));
  // Larger or smaller, an index that is not the newest is old.
  assert.equal((await list(kv, '?name=a&index=18446744073709551615')).events.length, 1);
  assert.equal((await list(kv, '?name=a&index=2')).events.length, 1);
  const late = kv.call('GET', `/v1/event/list?name=a&index=${indexOf(seen.ID)}&wait=10s`);
  await kv.runtime.advance(10_700);
  assert.equal((await late).headers?.['X-Consul-Index'], indexOf(seen.ID));
  assert.equal(kv.world.revisions.waiters, 0);
});

test('the newest 256 are remembered', async () => {
  const kv = virtualKv();
  for (let count = 1; count <= 300; count += 1) await fire(kv, 'tick', String(count));
  const { events } = await list(kv);
  assert.deepEqual([events.length, events[0]?.LTime, events.at(-1)?.LTime], [256, 45, 300]);
});
