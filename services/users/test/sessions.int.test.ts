import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import { because, customer, logBook, newDatabase, PASSWORD, type UsersWorld, usersWorld } from './world.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

describe('sessions', () => {
  const book = logBook();
  let world: UsersWorld;
  before(async () => {
    world = await usersWorld({ database: await newDatabase(), log: book.log });
  });
  beforeEach(() => world.sql.query('truncate account, login_failure, session, refresh_token, souk.outbox'));
  after(() => world.close());

  const login = (email: string, password = PASSWORD) => world.auth.login(world.nobody, { email, password });
  const refresh = (refreshToken: string) => world.auth.refresh(world.nobody, { refreshToken });
  const failures = async (email: string, count: number) => {
    const reasons: string[] = [];
    for (let n = 0; n < count; n++) {
      const error = await login(email, 'a wrong password').catch((thrown) => thrown);
      reasons.push(error.reason);
    }
    return reasons;
  };

  test('a right password buys tokens that the edge can verify until they expire', async () => {
    const { user, tokens } = await customer(world);
    assert.deepEqual([tokens.tokenType, tokens.expiresIn, tokens.userId], ['Bearer', 900, user.id]);
    const verifier = world.verifier();
    const identity = await verifier.verify(tokens.accessToken);
    assert.deepEqual([identity.userId, identity.roles], [user.id, ['customer']]);
    await world.runtime.advance(16 * MINUTE);
    await assert.rejects(verifier.verify(tokens.accessToken), because('TOKEN_EXPIRED'));
  });

  test('address and user name both sign in, in any case, and the password in any composition', async () => {
    await world.users.createUser(world.nobody, {
      email: 'Ada@example.com',
      username: 'Ada',
      password: 'Café Zürich 1843',
    });
    for (const name of ['ADA@EXAMPLE.COM', 'ada', 'ＡＤＡ']) await login(name, 'Cafe\u0301 Zu\u0308rich 1843');
    await assert.rejects(login('ada', 'café zürich 1843'), because('USERS_BAD_CREDENTIALS'));
  });

  test('nobody and a wrong password get one answer, one hash and one lock', async (t) => {
    await customer(world);
    const verify = t.mock.method(world.parts.passwords, 'verify');
    const stranger = await login('nobody@example.com').catch((thrown) => thrown);
    const wrong = await login('ada@example.com', 'a wrong password').catch((thrown) => thrown);
    assert.ok(isSoukError(stranger) && isSoukError(wrong));
    assert.deepEqual({ ...stranger, message: stranger.message }, { ...wrong, message: wrong.message });
    assert.equal(wrong.reason, 'USERS_BAD_CREDENTIALS');
    assert.equal(verify.mock.callCount(), 2);
    assert.deepEqual(await failures('nobody@example.com', 6), await failures('ada@example.com', 6));
  });

  test('failures in a row lock an account, longer each time, and say when to come back', async () => {
    await customer(world);
    const bad = 'USERS_BAD_CREDENTIALS';
    const locked = 'USERS_TOO_MANY_ATTEMPTS';
    assert.deepEqual(await failures('ada@example.com', 7), [bad, bad, bad, bad, bad, locked, locked]);
    const error = await login('ada@example.com').catch((thrown) => thrown);
    assert.deepEqual([error.code, error.retry], ['resource_exhausted', { kind: 'later', afterMs: 30_000 }]);
    await world.runtime.advance(30_000);
    assert.deepEqual(await failures('ada@example.com', 2), [bad, locked]);
    await world.runtime.advance(59_999);
    await assert.rejects(login('ada@example.com'), because(locked));
    await world.runtime.advance(1);
    await login('ada@example.com');
    assert.deepEqual(await failures('ada@example.com', 2), [bad, bad], 'a success forgives');
  });

  test('an old failure is forgotten, and a lock is never longer than the longest', async () => {
    await customer(world);
    await failures('ada@example.com', 4);
    await world.runtime.advance(61 * MINUTE);
    assert.deepEqual(new Set(await failures('ada@example.com', 4)), new Set(['USERS_BAD_CREDENTIALS']));
    await world.sql.query('update login_failure set count = 1000');
    await world.runtime.advance(15 * MINUTE);
    await login('ada@example.com');
  });

  test('the lock of one account is nobody else’s', async () => {
    await customer(world);
    await customer(world, 'bob@example.com');
    await failures('ada@example.com', 6);
    await login('bob@example.com');
  });

  test('a right guess among many wrong ones at once gains nothing', async () => {
    await customer(world);
    await failures('ada@example.com', 4);
    const guesses = Array.from({ length: 12 }, (_, n) =>
      login('ada@example.com', n < 11 ? `wrong guess ${n}` : PASSWORD),
    );
    const settled = await Promise.allSettled(guesses);
    assert.deepEqual(
      settled.filter(({ status }) => status === 'fulfilled'),
      [],
    );
  });

  test('S1 a refresh token works once and its successor goes on', async () => {
    const { tokens } = await customer(world);
    const second = await refresh(tokens.refreshToken);
    const third = await refresh(second.refreshToken);
    assert.equal(new Set([tokens, second, third].map((each) => each.refreshToken)).size, 3);
    assert.equal((await world.verifier().verify(third.accessToken)).userId, tokens.userId);
  });

  test('S2 a used token that comes again ends its session, and no other', async () => {
    const { tokens } = await customer(world);
    const other = await login('ada@example.com');
    const second = await refresh(tokens.refreshToken);
    await assert.rejects(refresh(tokens.refreshToken), because('USERS_REFRESH_REUSED'));
    await assert.rejects(refresh(second.refreshToken), because('USERS_REFRESH_INVALID'));
    assert.match(book.text(), /a refresh token was used twice/);
    await refresh(other.refreshToken);
  });

  test('of parallel refreshes with one token one wins, and the session is over', async () => {
    const { tokens } = await customer(world);
    const settled = await Promise.allSettled(Array.from({ length: 6 }, () => refresh(tokens.refreshToken)));
    const won = settled.filter((each) => each.status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const each of settled) {
      if (each.status === 'rejected') assert.equal(each.reason.reason, 'USERS_REFRESH_REUSED');
    }
    await assert.rejects(refresh(won[0]?.value.refreshToken ?? ''), because('USERS_REFRESH_INVALID'));
  });

  test('S3 rotation does not move the end of a session', async () => {
    let { refreshToken } = (await customer(world)).tokens;
    for (let day = 1; day < 30; day++) {
      await world.runtime.advance(DAY);
      ({ refreshToken } = await refresh(refreshToken));
    }
    await world.runtime.advance(DAY - MINUTE);
    ({ refreshToken } = await refresh(refreshToken));
    await world.runtime.advance(MINUTE);
    await assert.rejects(refresh(refreshToken), because('USERS_REFRESH_INVALID'));
  });

  test('logging out ends the session, also by a used token, and unknown tokens are no error', async () => {
    const { tokens } = await customer(world);
    const second = await refresh(tokens.refreshToken);
    await world.auth.logout(world.nobody, { refreshToken: tokens.refreshToken });
    await assert.rejects(refresh(second.refreshToken), because('USERS_REFRESH_INVALID'));
    await world.auth.logout(world.nobody, { refreshToken: second.refreshToken });
    await world.auth.logout(world.nobody, { refreshToken: 'never given out' });
    await assert.rejects(refresh('never given out'), because('USERS_REFRESH_INVALID'));
  });

  test('only hashes of refresh tokens are kept', async () => {
    const { tokens } = await customer(world);
    const { rows } = await world.sql.query<{ row: string }>(
      'select to_jsonb(refresh_token)::text as row from refresh_token',
    );
    assert.equal(rows.length, 1);
    assert.ok(!rows[0]?.row.includes(tokens.refreshToken));
    assert.equal(Buffer.from(tokens.refreshToken, 'base64url').length, 32);
  });

  test('a password that was hashed at another cost is hashed again at sign-in', async () => {
    await customer(world);
    const dearer = await usersWorld({
      database: world.database,
      runtime: world.runtime,
      settings: { passwordPasses: 2 },
    });
    const credentials = { email: 'ada@example.com', password: PASSWORD };
    await dearer.auth.login(dearer.nobody, credentials);
    const { rows } = await world.sql.query<{ password_hash: string }>('select password_hash from account');
    assert.match(rows[0]?.password_hash ?? '', /m=8,t=2,p=1/);
    await dearer.auth.login(dearer.nobody, credentials);
  });

  test('the sweep removes what is over and nothing else', async () => {
    const { tokens } = await customer(world);
    await refresh(tokens.refreshToken);
    await failures('nobody@example.com', 1);
    await world.runtime.advance(29 * DAY);
    const fresh = await login('ada@example.com');
    await world.runtime.advance(2 * DAY);
    await failures('somebody@example.com', 1);
    await world.sweep();
    const count = async (table: string) => (await world.sql.query(`select from ${table}`)).rowCount;
    assert.deepEqual([await count('session'), await count('refresh_token'), await count('login_failure')], [1, 1, 1]);
    await refresh(fresh.refreshToken);
  });

  test('no personal data and no secret reach the log', async () => {
    const secrets: string[] = [];
    const email = 'canary-mail@example.com';
    const password = 'canary-password-of-ada';
    const { id } = await world.users.createUser(world.nobody, { email, password, username: 'canary-name' });
    const ctx = world.user(id);
    await world.users.updateUser(ctx, { id, profile: { firstName: 'Canary-first', phone: '+15550001111' } });
    await world.users.createUser(world.nobody, { email, password }).catch(() => {});
    await world.users.updateUser(ctx, { id, username: 'canary-name', etag: '99' }).catch(() => {});
    await world.users.listUsers(world.admin, { query: 'canary', pageToken: 'canary' }).catch(() => {});
    const tokens = await login(email, password);
    await login(email, 'canary-wrong-one').catch(() => {});
    await login('canary-nobody@example.com', password).catch(() => {});
    const next = await refresh(tokens.refreshToken);
    await refresh(tokens.refreshToken).catch(() => {});
    await refresh('canary-token').catch(() => {});
    await world.users.deleteUser(ctx, { id });
    for (const each of [tokens, next]) secrets.push(each.accessToken, each.refreshToken);
    const text = book.text();
    assert.ok(text.includes(id), 'something was logged');
    assert.doesNotMatch(text, /canary|15550001111|argon2id\$/i);
    for (const secret of secrets) assert.ok(!text.includes(secret));
  });
});
