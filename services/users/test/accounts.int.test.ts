import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { User_Status } from '@souk/contracts/users/v1/users';
import { isSoukError, rootContext } from '@souk/kernel';
import { because, customer, newDatabase, PASSWORD, type UsersWorld, usersWorld } from './world.ts';

const UNKNOWN = 'usr_01890000-0000-7000-8000-0000000000ff';

describe('accounts', () => {
  let world: UsersWorld;
  before(async () => {
    world = await usersWorld({ database: await newDatabase() });
  });
  beforeEach(() => world.sql.query('truncate account, login_failure, session, refresh_token, souk.outbox'));
  after(() => world.close());

  const register = (email: string, init: { username?: string; password?: string } = {}) =>
    world.users.createUser(world.nobody, { email, password: PASSWORD, ...init });

  test('an account is opened with its profile and announced in the same transaction', async () => {
    const profile = { firstName: 'Ada', lastName: 'Lovelace', locale: 'en-GB', phone: '+442079460000' };
    const user = await world.users.createUser(world.nobody, {
      email: 'Ada@EXAMPLE.com',
      username: 'ada',
      password: PASSWORD,
      profile,
    });
    assert.equal(user.email, 'Ada@example.com');
    assert.deepEqual(
      [user.username, user.roles, user.version, user.status],
      ['ada', ['customer'], 1, User_Status.ACTIVE],
    );
    const { $typeName, ...seen } = (await world.users.getUser(world.user(user.id), { id: user.id })).profile ?? {};
    assert.deepEqual(seen, profile);
    assert.deepEqual(await world.published(), [`user-registered ${user.id}`]);
  });

  test('a failed registration announces nothing', async () => {
    await register('ada@example.com');
    await assert.rejects(register('ada@example.com'), because('USERS_EMAIL_TAKEN'));
    assert.equal((await world.published()).length, 1);
  });

  test('an e-mail address is taken whatever its case, width or composition', async () => {
    await register('Zoé.Strasse@example.com');
    for (const email of ['zoé.straße@EXAMPLE.COM', 'ZOE\u0301.STRASSE@example.com', 'ｚoé.strasse@example.com']) {
      await assert.rejects(register(email), because('USERS_EMAIL_TAKEN'), email);
    }
  });

  test('a refusal names no person', async () => {
    await register('canary@example.com', { username: 'canary' });
    const refused = [
      () => register('canary@example.com'),
      () => register('other@example.com', { username: 'CANARY' }),
      () => register('other@example.com', { username: 'canary@x' }),
      () => register('canary.two@example.com', { password: 'canary.two@example.com' }),
    ];
    for (const one of refused) {
      const error = await one().catch((thrown) => thrown);
      assert.ok(isSoukError(error));
      assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /canary/i);
    }
  });

  test('a user name is optional and unique without regard to case', async () => {
    const { username } = await register('ada@example.com');
    assert.match(username, /^user-[0-9a-f]{12}$/);
    await register('bob@example.com', { username: 'Bob' });
    await assert.rejects(register('bob2@example.com', { username: 'ＢＯＢ' }), because('USERS_USERNAME_TAKEN'));
  });

  test('of twenty registrations of one address at once exactly one succeeds', async () => {
    const all = Array.from({ length: 20 }, (_, n) => register(n % 2 ? 'ada@example.com' : 'ADA@example.com'));
    const settled = await Promise.allSettled(all);
    const failures = settled.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    assert.equal(failures.length, 19);
    for (const { reason } of failures) assert.equal(reason.reason, 'USERS_EMAIL_TAKEN');
    assert.equal((await world.published()).length, 1);
    assert.equal((await world.sql.query('select from account')).rowCount, 1);
  });

  test('common and personal passwords are refused, and only a hash of others is kept', async () => {
    await assert.rejects(register('a@example.com', { password: 'Password123' }), because('USERS_PASSWORD_COMMON'));
    await assert.rejects(
      register('abc@example.com', { password: 'ABC@example.com' }),
      because('USERS_PASSWORD_PERSONAL'),
    );
    await register('a@example.com');
    const { rows } = await world.sql.query<{ all: string; password_hash: string }>(
      'select password_hash, to_jsonb(account)::text as all from account',
    );
    assert.match(rows[0]?.password_hash ?? '', /^\$argon2id\$v=19\$m=8,t=1,p=1\$/);
    assert.ok(!rows[0]?.all.includes(PASSWORD));
  });

  test('an update replaces the parts that were sent, counts the version and is announced', async () => {
    const { user, ctx } = await customer(world);
    const id = user.id;
    const first = await world.users.updateUser(ctx, {
      id,
      profile: { firstName: 'Ada', phone: '+4412345678' },
      etag: '"1"',
    });
    const second = await world.users.updateUser(ctx, {
      id,
      profile: { firstName: 'Ada' },
      preferences: { currency: 'GBP', timeZone: 'Europe/London', marketing: true },
    });
    assert.deepEqual([first.version, second.version], [2, 3]);
    assert.deepEqual(
      [second.profile?.phone, second.preferences?.timeZone, second.email],
      ['', 'Europe/London', 'ada@example.com'],
    );
    assert.deepEqual((await world.published()).slice(1), [`user-updated ${id}`, `user-updated ${id}`]);
  });

  test('a change of a version that is gone is refused, and a repeat of a change is not', async () => {
    const { user, ctx } = await customer(world);
    const change = { id: user.id, username: 'countess', etag: '1' };
    await world.users.updateUser(ctx, change);
    assert.equal((await world.users.updateUser(ctx, change)).version, 2);
    await assert.rejects(
      world.users.updateUser(ctx, { ...change, username: 'duchess' }),
      because('SERVICE_VERSION_MISMATCH'),
    );
    assert.equal((await world.published()).length, 2);
  });

  test('of parallel changes of one version exactly one is made', async () => {
    const { user, ctx } = await customer(world);
    const all = Array.from({ length: 8 }, (_, n) =>
      world.users.updateUser(ctx, { id: user.id, username: `ada${n}`, etag: '1' }),
    );
    const settled = await Promise.allSettled(all);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('a change to what another user has, and to a time zone that does not exist, is refused', async () => {
    await register('bob@example.com', { username: 'bob' });
    const { user, ctx } = await customer(world);
    const change = (init: object) => world.users.updateUser(ctx, { id: user.id, ...init });
    await assert.rejects(change({ email: 'BOB@example.com' }), because('USERS_EMAIL_TAKEN'));
    await assert.rejects(change({ username: 'BOB' }), because('USERS_USERNAME_TAKEN'));
    await assert.rejects(change({ preferences: { timeZone: 'Mars/Olympus' } }), because('USERS_TIME_ZONE_UNKNOWN'));
    assert.equal((await change({ email: 'countess@example.com' })).email, 'countess@example.com');
  });

  test('other users are refused, nobody is asked to sign in', async () => {
    const { user } = await customer(world);
    const { id } = user;
    const bob = world.user(UNKNOWN);
    await assert.rejects(world.users.getUser(bob, { id }), { code: 'permission_denied' });
    await assert.rejects(world.users.updateUser(bob, { id, username: 'mine' }), { code: 'permission_denied' });
    await assert.rejects(world.users.deleteUser(bob, { id }), { code: 'permission_denied' });
    await assert.rejects(world.users.listUsers(bob, {}), { code: 'permission_denied' });
    await assert.rejects(world.users.getUser(world.nobody, { id }), { code: 'unauthenticated' });
    await assert.rejects(world.users.checkUser(bob, { userId: id }), { code: 'permission_denied' });
  });

  test('deleting erases the person, keeps the id, ends sessions and frees the names', async () => {
    const { user, tokens, ctx } = await customer(world, 'canary@example.com');
    const { id } = user;
    await world.users.updateUser(ctx, {
      id,
      username: 'canary',
      profile: { firstName: 'Canary', phone: '+4412345678' },
    });
    await assert.rejects(world.users.deleteUser(ctx, { id, etag: '1' }), because('SERVICE_VERSION_MISMATCH'));
    await world.users.deleteUser(ctx, { id, etag: '2' });
    await world.users.deleteUser(ctx, { id });

    await assert.rejects(world.users.getUser(ctx, { id }), because('USERS_NOT_FOUND'));
    await assert.rejects(world.users.updateUser(ctx, { id, username: 'back' }), because('USERS_NOT_FOUND'));
    await assert.rejects(world.users.deleteUser(world.admin, { id: UNKNOWN }), because('USERS_NOT_FOUND'));
    const { refreshToken } = tokens;
    await assert.rejects(world.auth.refresh(world.nobody, { refreshToken }), because('USERS_REFRESH_INVALID'));
    const login = { email: 'canary@example.com', password: PASSWORD };
    await assert.rejects(world.auth.login(world.nobody, login), because('USERS_BAD_CREDENTIALS'));
    assert.equal((await world.users.checkUser(world.service, { userId: id })).active, false);
    await assert.rejects(world.users.getContact(world.service, { userId: id }), because('USERS_NOT_FOUND'));

    const { rows } = await world.sql.query<{ row: string }>('select to_jsonb(account)::text as row from account');
    assert.doesNotMatch(rows[0]?.row ?? '', /canary|4412345678|argon2/i);
    assert.match(rows[0]?.row ?? '', new RegExp(id));
    const events = (await world.published()).filter((event) => event.startsWith('user-deleted'));
    assert.deepEqual(events, [`user-deleted ${id}`]);
    await register('canary@example.com', { username: 'canary' });
  });

  test('an order learns whether a user is active and how to greet, by one query', async () => {
    const { user, ctx } = await customer(world);
    const userId = user.id;
    await world.users.updateUser(ctx, {
      id: userId,
      profile: { firstName: 'Ada', lastName: 'Lovelace', locale: 'en' },
    });
    const { active, email, displayName, locale } = await world.users.checkUser(world.service, { userId });
    assert.deepEqual([active, email, displayName, locale], [true, 'ada@example.com', 'Ada Lovelace', 'en']);
    assert.equal((await world.users.checkUser(world.service, { userId: UNKNOWN })).active, false);
    const contact = await world.users.getContact(world.service, { userId });
    assert.deepEqual(
      [contact.email, contact.displayName, contact.marketing],
      ['ada@example.com', 'Ada Lovelace', false],
    );
  });

  test('an administrator is made once, by however many, and never changed', async () => {
    const request = { email: 'admin@souk.local', password: PASSWORD };
    const all = await Promise.all(Array.from({ length: 5 }, () => world.users.ensureAdmin(world.service, request)));
    assert.equal(all.filter(({ created }) => created).length, 1);
    assert.equal(new Set(all.map(({ userId }) => userId)).size, 1);
    const again = await world.users.ensureAdmin(world.service, { ...request, password: 'another long password' });
    assert.equal(again.created, false);
    const tokens = await world.auth.login(world.nobody, request);
    assert.deepEqual((await world.verifier().verify(tokens.accessToken)).roles, ['customer', 'admin']);
    await assert.rejects(world.users.ensureAdmin(world.nobody, request), { code: 'unauthenticated' });
  });

  test('the address of a customer does not become an administrator', async () => {
    const { user } = await customer(world);
    const request = { email: 'ADA@example.com', password: PASSWORD };
    await assert.rejects(world.users.ensureAdmin(world.service, request), because('USERS_NOT_AN_ADMIN'));
    assert.deepEqual((await world.users.getUser(world.admin, { id: user.id })).roles, ['customer']);
  });

  test('an administrator finds users by address, user name or name, newest first, page by page', async () => {
    for (let n = 1; n <= 5; n++) {
      await world.users.createUser(world.nobody, {
        email: `user${n}@example.com`,
        username: `name${n}`,
        password: PASSWORD,
        profile: { firstName: 'Zoé', lastName: n % 2 ? 'Straße' : '100%_Real' },
      });
      await world.runtime.advance(1000);
    }
    const list = async (init: object) => world.users.listUsers(world.admin, init);
    const names = (page: { users: { username: string }[] }) => page.users.map(({ username }) => username);
    const first = await list({ pageSize: 2 });
    const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
    const third = await list({ pageSize: 2, pageToken: second.nextPageToken });
    assert.deepEqual([first, second, third].map(names), [['name5', 'name4'], ['name3', 'name2'], ['name1']]);
    assert.equal(third.nextPageToken, '');
    assert.deepEqual(names(await list({ query: 'USER3@' })), ['name3']);
    assert.deepEqual(names(await list({ query: 'Name4' })), ['name4']);
    assert.deepEqual(names(await list({ query: 'zoé strasse' })), ['name5', 'name3', 'name1']);
    assert.deepEqual(names(await list({ query: '%_' })), ['name4', 'name2']);
    assert.deepEqual(names(await list({ query: "'; drop" })), []);
    await assert.rejects(list({ query: 'x', pageToken: first.nextPageToken }), because('SERVICE_PAGE_TOKEN_INVALID'));
    const one = (await list({ query: 'name1' })).users[0];
    await world.users.deleteUser(world.admin, { id: one?.id ?? '' });
    assert.deepEqual(names(await list({ status: User_Status.DELETED })), ['']);
    assert.equal((await list({ status: User_Status.ACTIVE })).users.length, 4);
  });

  test('a registration that is given up leaves nothing', async () => {
    const controller = new AbortController();
    controller.abort();
    const ctx = rootContext({ runtime: world.runtime, signal: controller.signal });
    await assert.rejects(world.users.createUser(ctx, { email: 'ada@example.com', password: PASSWORD }), {
      code: 'canceled',
    });
    assert.deepEqual(await world.published(), []);
  });
});
