import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import { type VirtualKv, virtualKv } from '../../test/kv-world.ts';

const refused = (status: number, text: RegExp) => (error: unknown) =>
  isSoukError(error) && error.httpStatus === status && text.test(error.message);
const create = async (kv: VirtualKv, body: Record<string, unknown> = {}): Promise<string> =>
  ((await kv.call('PUT', '/v1/session/create', JSON.stringify(body))).json as { ID: string }).ID;
const lives = async (kv: VirtualKv, id: string): Promise<boolean> =>
  ((await kv.call('GET', `/v1/session/info/${id}`)).json as unknown[]).length === 1;
const lock = async (kv: VirtualKv, id: string, key = 'lock'): Promise<unknown> =>
  (await kv.call('PUT', `/v1/kv/${key}?acquire=${id}`, id)).json;
const holder = async (kv: VirtualKv, key = 'lock'): Promise<unknown> =>
  ((await kv.call('GET', `/v1/kv/${key}`)).json as { Session?: string }[])?.[0]?.Session;
const change = (kv: VirtualKv) => ({ rev: kv.world.revisions.next(), log: () => {} });

test('a session that says nothing has the defaults', async () => {
  const kv = virtualKv();
  const { json } = await kv.call('PUT', '/v1/session/create');
  const { ID } = json as { ID: string };
  const index = kv.index(`/v1/session/info/${ID}`);
  assert.deepEqual((await kv.call('GET', `/v1/session/info/${ID}`)).json, [
    {
      ID,
      Name: '',
      Node: 'self',
      LockDelay: 15e9,
      Behavior: 'release',
      TTL: '',
      NodeChecks: ['serfHealth'],
      ServiceChecks: null,
      CreateIndex: index,
      ModifyIndex: index,
    },
  ]);
});

test('delays may be texts, nanoseconds, or seconds when they are small', async () => {
  const kv = virtualKv();
  const delay = async (LockDelay: unknown): Promise<unknown> => {
    const id = await create(kv, { LockDelay });
    return ((await kv.call('GET', `/v1/session/info/${id}`)).json as { LockDelay: number }[])[0]?.LockDelay;
  };
  assert.equal(await delay('5s'), 5e9);
  assert.equal(await delay(20), 20e9);
  assert.equal(await delay(2e9), 2e9);
  assert.equal(await delay('0s'), 0);
  assert.equal(await delay('10m'), 60e9);
});

test('what a session cannot be is refused', async () => {
  const kv = virtualKv();
  const bad = [
    [{ TTL: '9s' }, 400, /^Invalid Session TTL '9s', must be between \[10s=24h0m0s\]$/],
    [{ TTL: '25h' }, 400, /^Invalid Session TTL/],
    [{ TTL: 'soon' }, 400, /^Invalid Session TTL/],
    [{ Behavior: 'keep' }, 400, /^Invalid Behavior setting 'keep'$/],
    [{ Node: 'nowhere' }, 500, /^Missing node registration$/],
    [{ NodeChecks: ['none'] }, 500, /^Missing check 'none' registration$/],
    [{ LockDelay: 'x' }, 400, /^Request decode failed/],
  ] as const;
  for (const [body, status, text] of bad) await assert.rejects(create(kv, body), refused(status, text), String(text));
  await assert.rejects(kv.call('PUT', '/v1/session/destroy/'), refused(400, /^Missing session$/));
  await assert.rejects(kv.call('GET', '/v1/session/info/'), refused(400, /^Missing session$/));
  await assert.rejects(kv.call('GET', '/v1/session/node/'), refused(400, /^Missing node name$/));
  await assert.rejects(kv.call('PUT', '/v1/session/renew/x'), refused(404, /^Session id 'x' not found$/));
  assert.deepEqual((await kv.call('GET', '/v1/session/info/x')).json, []);
  assert.equal((await kv.call('PUT', '/v1/session/destroy/x')).json, true);
});

test('a session lives for its TTL at least, for twice that at most, and as long as it is renewed', async () => {
  const kv = virtualKv();
  const [left, kept] = [await create(kv, { TTL: '10s' }), await create(kv, { TTL: '10s' })];
  for (let second = 0; second < 60; second += 9) {
    await kv.runtime.advance(9_000);
    await kv.call('PUT', `/v1/session/renew/${kept}`);
    if (second === 0) assert.equal(await lives(kv, left), true);
  }
  assert.equal(await lives(kv, left), false);
  assert.equal(await lives(kv, kept), true);
  await kv.runtime.advance(10_000);
  assert.equal(await lives(kv, kept), true);
  await kv.runtime.advance(10_000);
  assert.equal(await lives(kv, kept), false);
});

test('a session that is renewed while its end waits to be committed lives on', async () => {
  const kv = virtualKv(100);
  const id = await create(kv, { TTL: '10s' });
  // It is over 15 s after it was made; the end is committed 100 ms later.
  await kv.runtime.advance(15_050);
  assert.equal(kv.runtime.pendingTimers, 1);
  await kv.call('PUT', `/v1/session/renew/${id}`);
  assert.equal(await lives(kv, id), true);
  await kv.runtime.advance(9_000);
  assert.equal(await lives(kv, id), true);
});

test('a lock has one holder, counts its holders, and is free for others at once when it is given back', async () => {
  const kv = virtualKv();
  const [a, b] = [await create(kv), await create(kv)];
  const count = async () => ((await kv.call('GET', '/v1/kv/lock')).json as { LockIndex: number }[])[0]?.LockIndex;
  assert.deepEqual([await lock(kv, a), await count()], [true, 1]);
  assert.deepEqual([await lock(kv, a), await count()], [true, 1]);
  assert.deepEqual([await lock(kv, b), await count()], [false, 1]);
  assert.equal((await kv.call('PUT', `/v1/kv/lock?release=${b}`)).json, false);
  await kv.call('PUT', '/v1/kv/lock', 'locks are for those who ask');
  assert.equal(await holder(kv), a);
  assert.equal((await kv.call('PUT', `/v1/kv/lock?release=${a}`)).json, true);
  assert.deepEqual([await lock(kv, b), await count()], [true, 2]);
});

test('a lock that was lost with its session is kept from all for the delay', async () => {
  const kv = virtualKv();
  const [a, b] = [await create(kv, { LockDelay: '5s' }), await create(kv)];
  await lock(kv, a);
  await kv.call('PUT', `/v1/session/destroy/${a}`);
  assert.equal(await holder(kv), undefined);
  assert.equal(await lock(kv, b), false);
  await kv.runtime.advance(4_999);
  assert.equal(await lock(kv, b), false);
  await kv.runtime.advance(1);
  assert.equal(await lock(kv, b), true);
});

test('a session that says delete takes the keys it has locked with it, and no other', async () => {
  const kv = virtualKv();
  const a = await create(kv, { Behavior: 'delete' });
  await lock(kv, a, 'mine');
  await kv.call('PUT', '/v1/kv/other');
  await kv.call('PUT', `/v1/session/destroy/${a}`);
  assert.deepEqual((await kv.call('GET', '/v1/kv/?keys')).json, ['other']);
});

test('a session ends when a check it names becomes critical or goes, and others of the node stay', async () => {
  const kv = virtualKv();
  const put = (status: 'passing' | 'critical') =>
    kv.catalog.putCheck(change(kv), {
      ...{ node: 'self', id: 'disk', name: 'disk', status, notes: '', output: '', serviceId: '', serviceName: '' },
      ...{ serviceTags: [], type: '', interval: '', timeout: '', definition: {} },
    });
  put('passing');
  const [plain, bound] = [await create(kv), await create(kv, { NodeChecks: ['serfHealth', 'disk'] })];
  await lock(kv, bound);
  put('critical');
  await kv.runtime.advance(0);
  assert.deepEqual([await lives(kv, plain), await lives(kv, bound), await holder(kv)], [true, false, undefined]);
  await assert.rejects(create(kv, { NodeChecks: ['disk'] }), refused(500, /^Check 'disk' is in critical state$/));
  put('passing');
  const service = await create(kv, { NodeChecks: [], ServiceChecks: [{ ID: 'disk' }] });
  kv.catalog.deleteCheck(change(kv), 'self', 'disk');
  await kv.runtime.advance(0);
  assert.deepEqual([await lives(kv, plain), await lives(kv, service)], [true, false]);
});

test('a session ends with its node', async () => {
  const kv = virtualKv();
  kv.catalog.putNode(change(kv), {
    ...{ id: 'x', name: 'Other', address: '10.0.0.9', datacenter: 'dc1', taggedAddresses: {}, meta: {} },
  });
  await assert.rejects(create(kv, { Node: 'other' }), refused(500, /^Missing check 'serfHealth' registration$/));
  const id = await create(kv, { Node: 'other', NodeChecks: [] });
  assert.equal(((await kv.call('GET', '/v1/session/node/OTHER')).json as unknown[]).length, 1);
  kv.catalog.deleteNode(change(kv), 'Other');
  await kv.runtime.advance(0);
  assert.equal(await lives(kv, id), false);
});

test('reads of sessions move with what they show', async () => {
  const kv = virtualKv();
  const indexes = (id: string) =>
    ['/v1/session/list', '/v1/session/node/self', '/v1/session/node/other', `/v1/session/info/${id}`].map(kv.index);
  const id = await create(kv);
  const before = indexes(id);
  await kv.call('PUT', '/v1/kv/a');
  await kv.call('PUT', '/v1/session/destroy/none');
  assert.deepEqual(indexes(id), before);
  await create(kv);
  const created = indexes(id);
  assert.deepEqual(
    created.map((index, at) => index > before[at]!),
    [true, true, false, false],
  );
  await kv.call('PUT', `/v1/session/destroy/${id}`);
  assert.deepEqual(
    indexes(id).map((index, at) => index > created[at]!),
    [true, true, false, true],
  );
});

test('a registry that starts again gives sessions a full TTL, keeps their locks, and ends those that lost their check meanwhile', async () => {
  const before = virtualKv();
  const [kept, lost] = [
    await create(before, { TTL: '10s' }),
    await create(before, { NodeChecks: ['gone'] }).catch(() => ''),
  ];
  assert.equal(lost, '');
  await lock(before, kept);
  before.catalog.putCheck(change(before), {
    ...{ node: 'self', id: 'gone', name: 'gone', status: 'passing', notes: '', output: '', serviceId: '' },
    ...{ serviceName: '', serviceTags: [], type: '', interval: '', timeout: '', definition: {} },
  });
  const bound = await create(before, { NodeChecks: ['gone'] });
  await before.runtime.advance(12_000);

  const after = virtualKv();
  for (const module of after.modules) module.stop?.();
  after.modules.forEach(({ persistent }, at) => {
    persistent?.load(before.modules[at]?.persistent?.save());
  });
  for (const module of after.modules) module.start?.();
  await after.runtime.advance(9_999);
  assert.deepEqual([await lives(after, kept), await lives(after, bound), await holder(after)], [true, false, kept]);
  await after.runtime.advance(10_001);
  assert.deepEqual([await lives(after, kept), await holder(after)], [false, undefined]);
  for (const module of after.modules) module.stop?.();
  assert.equal(after.runtime.pendingTimers, 0);
});
