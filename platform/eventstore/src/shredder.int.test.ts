import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, createShredder, createSnapshots, eventStoreMigrations } from './index.ts';

const kek = (n: number) => new Uint8Array(32).fill(n);
const personal = {
  Registered: { subject: 'user.id', fields: ['user.email', 'address', 'nickname'] },
  Moved: { subject: 'userId', fields: ['address'] },
};
const SECRETS = /ada@example\.org|St James|countess/;

async function world() {
  const on = await testDatabase('shredder', [eventStoreMigrations]);
  const { runtime, db, ctx } = on;
  const shredder = createShredder({ runtime, personal, keyEncryptionKeys: { current: 'a', keys: { a: kek(1) } } });
  const store = createEventStore({ runtime, shredder });
  const registered = (id: string) => ({
    type: 'Registered',
    data: {
      user: { id, email: 'ada@example.org' },
      address: { line: '12 St James', zip: 1 },
      nickname: null,
      plan: 'free',
    },
  });
  const register = (id: string, stream = id) =>
    store.appendAlone(db, ctx, { stream, expected: 'any', events: [registered(id), { type: 'Paid', data: { n: 1 } }] });
  const dump = async () =>
    (
      await db
        .at(ctx)
        .query<{ t: string }>("SELECT string_agg(data::text || metadata::text, ' ') AS t FROM souk.es_event")
    ).rows[0]?.t ?? '';
  return { ...on, shredder, store, register, registered, dump, sql: db.at(ctx) };
}

test('personal data is encrypted where it is kept, and read as it was written', async () => {
  const { store, register, registered, dump, sql, db, ctx, close } = await world();
  await register('usr-1');
  await db.tx(ctx, (tx) =>
    store.appendAll(tx, [
      { stream: 'usr-2', expected: 'none', events: [{ ...registered('usr-2'), type: 'Registered' }] },
      {
        stream: 'move-1',
        expected: 'none',
        events: [{ type: 'Moved', data: { userId: 'usr-2', address: 'countess' } }],
      },
    ]),
  );
  assert.doesNotMatch(await dump(), SECRETS);
  assert.match(await dump(), /usr-1.*free|free.*usr-1/s);
  const [first, second] = await store.read(sql, 'usr-1');
  assert.deepEqual(first?.data, registered('usr-1').data);
  assert.deepEqual(second?.data, { n: 1 });
  const { events } = await store.readAll(sql, { limit: 10 });
  assert.deepEqual(events.at(-1)?.data, { userId: 'usr-2', address: 'countess' });
  await close();
});

test('whoever is forgotten is forgotten at once, for ever and alone', async () => {
  const { store, shredder, register, registered, sql, db, ctx, close } = await world();
  await register('usr-1');
  await register('usr-2');
  await db.tx(ctx, (tx) => shredder.forget(tx, 'usr-1'));
  const read = async (stream: string) => (await store.read(sql, stream))[0]?.data;
  assert.deepEqual(await read('usr-1'), {
    user: { id: 'usr-1', email: '[forgotten]' },
    address: '[forgotten]',
    nickname: '[forgotten]',
    plan: 'free',
  });
  assert.deepEqual(await read('usr-2'), registered('usr-2').data);
  await assert.rejects(register('usr-1'), { reason: 'EVENTSTORE_SUBJECT_FORGOTTEN' });
  await shredder.forget(sql, 'usr-3');
  await assert.rejects(register('usr-3'), { reason: 'EVENTSTORE_SUBJECT_FORGOTTEN' });
  const { rows } = await sql.query('SELECT FROM souk.es_subject_key WHERE wrapped IS NOT NULL');
  assert.equal(rows.length, 1);
  await close();
});

test('a repeat with the same ids is recognised although the ciphertext differs', async () => {
  const { store, registered, runtime, db, ctx, sql, close } = await world();
  const events = [{ ...registered('usr-1'), id: runtime.ids.uuid().toUpperCase() }];
  const append = { stream: 's', expected: 'none', events } as const;
  const first = await store.appendAlone(db, ctx, append);
  assert.deepEqual(await store.appendAlone(db, ctx, append), first);
  assert.deepEqual((await store.read(sql, 's'))[0]?.data, registered('usr-1').data);
  await close();
});

test('keys are wrapped anew, and the old key-encryption key can go', async () => {
  const { store, shredder, register, registered, runtime, sql, close } = await world();
  await register('usr-1');
  await register('usr-2');
  const both = { current: 'b', keys: { a: kek(1), b: kek(2) } };
  assert.equal(await createShredder({ runtime, personal, keyEncryptionKeys: both }).rewrap(sql), 2);
  assert.equal(await createShredder({ runtime, personal, keyEncryptionKeys: both }).rewrap(sql), 0);
  const only = createShredder({ runtime, personal, keyEncryptionKeys: { current: 'b', keys: { b: kek(2) } } });
  const [event] = await createEventStore({ runtime, shredder: only }).read(sql, 'usr-1');
  assert.deepEqual(event?.data, registered('usr-1').data);
  await assert.rejects(store.read(sql, 'usr-1'), { reason: 'EVENTSTORE_DATA_UNREADABLE' });
  await shredder.forget(sql, 'usr-1');
  await close();
});

test('what was changed, moved to another event, or cannot be decrypted here is an error and not data', async () => {
  const { store, register, runtime, sql, close } = await world();
  await register('usr-1', 'a');
  await register('usr-1', 'b');
  await assert.rejects(createEventStore({ runtime }).read(sql, 'a'), { reason: 'EVENTSTORE_SHREDDER_MISSING' });
  await sql.query(
    "UPDATE souk.es_event SET data = (SELECT o.data FROM souk.es_event o WHERE o.stream = 'b' AND o.version = 1) WHERE stream = 'a' AND version = 1",
  );
  await assert.rejects(store.read(sql, 'a'), { reason: 'EVENTSTORE_DATA_UNREADABLE' });
  assert.equal((await store.read(sql, 'b')).length, 2);
  await close();
});

test('no snapshot is taken of personal data', async () => {
  const { store, register, runtime, db, ctx, sql, close } = await world();
  await register('usr-1');
  const snapshots = createSnapshots({ store, db, runtime, ctx, every: 1 });
  const fold = {
    name: 'all',
    hash: '1',
    initial: '',
    evolve: (all: string, { data }: { data: unknown }) => all + JSON.stringify(data),
  };
  assert.match((await snapshots.load(sql, fold, 'usr-1')).state, SECRETS);
  await snapshots.settled();
  assert.equal((await sql.query('SELECT FROM souk.es_snapshot')).rowCount, 0);
  await close();
});

test('declarations and keys that cannot work are refused', async () => {
  const { runtime, store, db, ctx, close } = await world();
  const invalid = { reason: 'EVENTSTORE_SHREDDER_INVALID' };
  const keys = { current: 'a', keys: { a: kek(1) } };
  for (const options of [
    { personal, keyEncryptionKeys: { current: 'b', keys: { a: kek(1) } } },
    { personal, keyEncryptionKeys: { current: 'a', keys: { a: new Uint8Array(16) } } },
    { personal: { A: { subject: 'user.id', fields: ['user'] } }, keyEncryptionKeys: keys },
  ])
    assert.throws(() => createShredder({ runtime, ...options }), invalid);
  const events = [{ type: 'Moved', data: { address: 'x' } }];
  await assert.rejects(store.appendAlone(db, ctx, { stream: 's', expected: 'any', events }), invalid);
  await close();
});
