import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { type VirtualKv, virtualKv } from '../../test/kv-world.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const run = async (kv: VirtualKv, operations: readonly Record<string, unknown>[]) => {
  const reply = await kv.call('PUT', '/v1/txn', JSON.stringify(operations.map((KV) => ({ KV }))));
  return {
    status: reply.status ?? 200,
    ...(reply.json as { Results: { KV: Record<string, unknown> }[]; Errors: unknown }),
  };
};
const all = async (kv: VirtualKv): Promise<unknown> => (await kv.call('GET', '/v1/kv/?recurse')).json;

test('what is written shows no value, what is read does, and all of it has one index', async () => {
  const kv = virtualKv();
  const { status, Results, Errors } = await run(kv, [
    { Verb: 'check-not-exists', Key: 'a' },
    { Verb: 'set', Key: 'a', Value: base64('1'), Flags: 3 },
    { Verb: 'get', Key: 'a' },
    { Verb: 'cas', Key: 'b', Value: base64('2'), Index: 0 },
    { Verb: 'get-tree', Key: '' },
    { Verb: 'delete', Key: 'b' },
  ]);
  const index = kv.index('/v1/kv/a');
  const a = { LockIndex: 0, Key: 'a', Flags: 3, CreateIndex: index, ModifyIndex: index };
  const b = { LockIndex: 0, Key: 'b', Flags: 0, CreateIndex: index, ModifyIndex: index };
  assert.deepEqual([status, Errors], [200, null]);
  assert.deepEqual(
    Results.map(({ KV }) => KV),
    [
      { ...a, Value: null },
      { ...a, Value: base64('1') },
      { ...b, Value: null },
      { ...a, Value: base64('1') },
      { ...b, Value: base64('2') },
    ],
  );
});

test('each way to fail says what was wrong, at which operation, and nothing has changed', async () => {
  const kv = virtualKv();
  const { ID } = (await kv.call('PUT', '/v1/session/create')).json as { ID: string };
  await kv.call('PUT', '/v1/kv/a', '1');
  await kv.call('PUT', `/v1/kv/locked?acquire=${ID}`, '1');
  const index = kv.index('/v1/kv/a');
  const before = JSON.stringify(await all(kv));
  const failing: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ Verb: 'cas', Key: 'a', Index: index + 7 }, 'failed to set key "a", index is stale'],
    [{ Verb: 'cas', Key: 'a', Index: 0 }, 'failed to set key "a", index is stale'],
    [{ Verb: 'get', Key: 'none' }, 'key "none" doesn\'t exist'],
    [{ Verb: 'delete-cas', Key: 'a', Index: 1 }, 'failed to delete key "a", index is stale'],
    [{ Verb: 'check-index', Key: 'a', Index: 1 }, `failed index check for key "a", current modify index ${index} != 1`],
    [{ Verb: 'check-index', Key: 'none', Index: 1 }, 'key "none" doesn\'t exist'],
    [
      { Verb: 'check-session', Key: 'a', Session: ID },
      `failed session check for key "a", current session "" != "${ID}"`,
    ],
    [{ Verb: 'check-not-exists', Key: 'a' }, 'key "a" exists'],
    [{ Verb: 'lock', Key: 'a' }, 'missing session'],
    [{ Verb: 'lock', Key: 'a', Session: 'x' }, 'invalid session "x"'],
    [
      { Verb: 'unlock', Key: 'a', Session: ID },
      'failed to unlock key "a", lock isn\'t held, or is held by another session',
    ],
    [{ Verb: 'set', Key: '' }, 'Missing key name'],
    [{ Verb: 'dance', Key: 'a' }, 'unknown KV verb "dance"'],
  ];
  for (const [operation, What] of failing) {
    const first = [
      { Verb: 'set', Key: 'new', Value: base64('x') },
      { Verb: 'delete-tree', Key: '' },
      { Verb: 'set', Key: 'a' },
    ];
    const rest = { Verb: 'set', Key: 'later' };
    // Operations before it change what it would see: it stands alone for its text, and among others for undoing.
    const alone = await run(kv, [operation, rest]);
    assert.deepEqual(alone, { status: 409, Results: null, Errors: [{ OpIndex: 0, What }] });
    const among = await run(kv, [...first, operation, { Verb: 'get', Key: 'never' }]);
    assert.equal(among.status, 409);
    assert.equal(JSON.stringify(await all(kv)), before, What);
    assert.equal(kv.index('/v1/kv/new'), 1);
  }
  const other = (await kv.call('PUT', '/v1/session/create')).json as { ID: string };
  const taken = await run(kv, [{ Verb: 'lock', Key: 'locked', Session: other.ID }]);
  assert.deepEqual(taken.Errors, [{ OpIndex: 0, What: 'failed to lock key "locked", lock is already held' }]);
  await kv.call('PUT', `/v1/session/destroy/${ID}`);
  const delayed = await run(kv, [{ Verb: 'lock', Key: 'locked', Session: other.ID }]);
  assert.deepEqual(delayed.Errors, [{ OpIndex: 0, What: 'failed to lock key "locked" due to lock delay' }]);
  const locked = await run(kv, [
    { Verb: 'lock', Key: 'free', Session: other.ID },
    { Verb: 'check-session', Key: 'free', Session: other.ID },
  ]);
  assert.equal(locked.Results[1]?.KV.Session, other.ID);
});

test('names of fields are found in any spelling, and numbers keep all their digits', async () => {
  const kv = virtualKv();
  const body = '[{"kv":{"verb":"set","KEY":"a","flags":3304740253564472344}}]';
  assert.equal((await kv.call('PUT', '/v1/txn', body)).status, undefined);
  assert.match(JSON.stringify(await all(kv)), /"Flags":3304740253564472344,/);
});

test('what is no transaction is refused before anything is tried', async () => {
  const kv = virtualKv();
  const many = (count: number) =>
    JSON.stringify(Array.from({ length: count }, (_, at) => ({ KV: { Verb: 'set', Key: `k${at}` } })));
  const bad: readonly (readonly [string, number, RegExp])[] = [
    ['', 400, /^Failed to parse body: /],
    ['{}', 400, /want a list/],
    ['[1]', 400, /operation 0/],
    ['[{"Node":{}}]', 400, /keys and values are all/],
    ['[{"KV":{"Verb":"set","Key":"a","Value":"?"}}]', 400, /not Base64/],
    ['[{"KV":{"Verb":"set","Key":"a","Flags":-1}}]', 400, /Invalid value for flags/],
    ['[{"KV":{"Verb":"set","Key":"a","Flags":1.5}}]', 400, /Invalid value for flags/],
    ['[{"KV":{"Verb":"set","Key":"a/../b"}}]', 400, /^Invalid key name/],
    ['[{"KV":{"Verb":"set","Key":1}}]', 400, /key is no text/],
    [many(65), 413, /^Transaction contains too many operations \(65 > 64\)$/],
  ];
  for (const [body, status, text] of bad) {
    await assert.rejects(
      kv.call('PUT', '/v1/txn', body),
      (error) => isSoukError(error) && error.httpStatus === status && text.test(error.message),
      body.slice(0, 60),
    );
  }
  assert.equal(
    (
      await run(
        kv,
        JSON.parse(many(64)).map(({ KV }: { KV: Record<string, unknown> }) => KV),
      )
    ).Results.length,
    64,
  );
});

test('a transaction does all or nothing, as its operations one after the other would', async () => {
  const key = fc.constantFrom('a', 'a/b', 'b');
  const operation = fc.record({
    Verb: fc.constantFrom(
      'set',
      'set',
      'cas',
      'delete',
      'delete-tree',
      'get',
      'check-not-exists',
      'check-index',
      'delete-cas',
      'get-tree',
    ),
    Key: key,
    Value: fc.constantFrom('', base64('1'), base64('2')),
    Index: fc.constantFrom(0, 0, 3, 4),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { minLength: 1, maxLength: 5 }), { maxLength: 8 }),
      async (transactions) => {
        const kv = virtualKv();
        for (const operations of transactions) {
          // The reference runs them as transactions of one, on a copy, until the first that fails.
          const copy = virtualKv();
          copy.modules[0]?.persistent?.load(kv.modules[0]?.persistent?.save());
          const before = JSON.stringify(await all(kv));
          const logged = kv.logged.length;
          const { status } = await run(kv, operations);
          const after = JSON.stringify(await all(kv));
          if (status === 409) {
            assert.equal(after, before);
            assert.ok(kv.logged.slice(logged).every((entries) => entries.length === 0));
            continue;
          }
          const values = (json: string | undefined) =>
            JSON.parse(json ?? '[]').map(({ Key, Value }: Record<string, unknown>) => [Key, Value]);
          const simple = operations.every(({ Verb }) => !['cas', 'check-index', 'delete-cas'].includes(Verb));
          if (!simple) continue;
          for (const one of operations) assert.equal((await run(copy, [one])).status, 200);
          assert.deepEqual(values(after), values(JSON.stringify(await all(copy))));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('who waits hears of a transaction that was made once, and of one that failed never', async () => {
  const kv = virtualKv();
  const { revisions } = kv.world;
  const never = new AbortController().signal;
  const waiting = ['kv:a', 'kv:b', 'kv-prefix:', 'kv:c'].map((resource) =>
    revisions.wait(resource, 1, never, 1_000).then(() => resource),
  );
  await run(kv, [
    { Verb: 'set', Key: 'a' },
    { Verb: 'get', Key: 'none' },
  ]);
  await kv.runtime.settle();
  assert.equal(revisions.waiters, 4);
  await run(kv, [
    { Verb: 'set', Key: 'a' },
    { Verb: 'set', Key: 'b' },
  ]);
  assert.deepEqual(await Promise.all(waiting.slice(0, 3)), ['kv:a', 'kv:b', 'kv-prefix:']);
  assert.equal(revisions.waiters, 1);
});
