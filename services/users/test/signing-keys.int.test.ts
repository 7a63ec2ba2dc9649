import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { because, customer, logBook, newDatabase, type UsersWorld, usersWorld, type WorldOptions } from './world.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const SECRET = 'a secret of thirty-two characters';

describe('signing keys', () => {
  let database: TestDatabase;
  before(async () => {
    database = await newDatabase();
  });
  beforeEach(() =>
    database.db
      .at(database.ctx)
      .query('truncate account, login_failure, session, refresh_token, signing_key, souk.outbox'),
  );
  after(() => database.close());

  const instance = (options: WorldOptions = {}) => usersWorld({ database, ...options });
  const kids = async (world: UsersWorld) =>
    (await world.auth.getJwks(world.nobody, {})).keys.map(({ kid }) => kid).toSorted();
  const kidOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string;
  const stored = async () =>
    (
      await database.db
        .at(database.ctx)
        .query<{ private_key: string }>('select private_key from signing_key order by 1')
    ).rows;

  test('instances that start at once agree on one key', async () => {
    const runtime = virtualRuntime();
    const worlds = await Promise.all(
      [1, 2, 3, 4].map((seed) => instance({ runtime: { ...virtualRuntime({ seed }), clock: runtime.clock } })),
    );
    const sets = await Promise.all(worlds.map(kids));
    for (const set of sets) assert.deepEqual(set, sets[0]);
    assert.equal(sets[0]?.length, 1);
    const [one, other] = worlds as [UsersWorld, UsersWorld];
    const { tokens } = await customer(one);
    assert.equal((await other.verifier().verify(tokens.accessToken)).userId, tokens.userId);
  });

  test('the key set shows public halves only', async () => {
    const world = await instance();
    const { keys } = await world.auth.getJwks(world.nobody, {});
    const { $typeName, x, y, kid, ...rest } = keys[0] ?? ({} as never);
    assert.deepEqual({ ...rest }, { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
    assert.equal(Buffer.from(x ?? '', 'base64url').length, 32);
    const d = JSON.parse((await stored())[0]?.private_key ?? '{}').d as string;
    assert.ok(d.length > 40 && !JSON.stringify(keys).includes(d));
  });

  test('a new key is shown before it signs, and the old one until its last token expires', async () => {
    const world = await instance();
    const [first = ''] = await kids(world);
    const verifier = world.verifier();
    await world.runtime.advance(30 * DAY - 17 * MINUTE);
    assert.deepEqual(await kids(world), [first]);
    await world.runtime.advance(MINUTE);
    assert.equal((await kids(world)).length, 2, 'shown ahead');
    await world.runtime.advance(15 * MINUTE);
    const { tokens } = await customer(world);
    assert.equal(kidOf(tokens.accessToken), first, 'the old one still signs');
    await world.runtime.advance(MINUTE);
    const next = await world.auth.refresh(world.nobody, { refreshToken: tokens.refreshToken });
    assert.notEqual(kidOf(next.accessToken), first);
    await world.runtime.advance(13 * MINUTE);
    for (const { accessToken } of [tokens, next]) await verifier.verify(accessToken);
    await world.runtime.advance(3 * MINUTE);
    assert.deepEqual(await kids(world), [kidOf(next.accessToken)]);
    assert.equal((await stored()).length, 2);
    await world.sweep();
    assert.equal((await stored()).length, 1, 'the private half is gone too');
    const last = await world.auth.refresh(world.nobody, { refreshToken: next.refreshToken });
    await verifier.verify(last.accessToken);
  });

  test('instances that rotate at once agree, and each signs what the other shows', async () => {
    const first = virtualRuntime({ seed: 1 });
    const second = { ...virtualRuntime({ seed: 2 }), clock: first.clock };
    const [one, other] = [await instance({ runtime: first }), await instance({ runtime: second })];
    await kids(one);
    await first.advance(30 * DAY);
    const sets = await Promise.all([kids(one), kids(other)]);
    assert.equal(sets[0].length, 2);
    assert.deepEqual(sets[0], sets[1]);
  });

  test('an idle service makes the next key by its sweep', async () => {
    const world = await instance();
    await kids(world);
    await world.runtime.advance(30 * DAY - MINUTE);
    await world.sweep();
    assert.equal((await stored()).length, 2);
  });

  test('with a secret, private keys are encrypted in the database', async () => {
    const sealed = await instance({ settings: { keyEncryptionKey: SECRET } });
    const { tokens } = await customer(sealed);
    assert.match((await stored())[0]?.private_key ?? '', /^sealed\.v1\.[\w-]+$/);
    const second = await instance({ settings: { keyEncryptionKey: SECRET } });
    assert.equal((await second.verifier().verify(tokens.accessToken)).userId, tokens.userId);
    const without = await instance();
    await assert.rejects(kids(without), because('USERS_SIGNING_KEY_SEALED'));
    const wrong = await instance({ settings: { keyEncryptionKey: SECRET.toUpperCase() } });
    await assert.rejects(kids(wrong), because('USERS_SIGNING_KEY_SEALED'));
  });

  test('a plain key can still be used once there is a secret', async () => {
    const before = await kids(await instance());
    assert.deepEqual(await kids(await instance({ settings: { keyEncryptionKey: SECRET } })), before);
  });

  test('keys at hand go on while the database is away', async () => {
    const book = logBook();
    const away = { now: false };
    const db = {
      ...database.db,
      at: (ctx: typeof database.ctx) => ({
        query: (async (text: string, values?: readonly unknown[]) => {
          if (away.now) throw Object.assign(new Error('away'), { name: 'AbortError' });
          return database.db.at(ctx).query(text, values);
        }) as never,
      }),
    };
    const world = await instance({ database: { ...database, db }, log: book.log });
    const before = await kids(world);
    away.now = true;
    await world.runtime.advance(5 * MINUTE);
    assert.deepEqual(await kids(world), before);
    assert.match(book.text(), /were not read again/);
  });
});
