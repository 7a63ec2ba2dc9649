import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { type Context, hasReason, type Runtime, rootContext, silentLogger } from '@souk/kernel';
import { testServer } from '../../../tests/support/database.ts';
import { type PostgresAddress, parseAddress, toUrl } from './address.ts';
import { createDatabase } from './database.ts';
import { createPostgresServer, type PostgresServer, type PostgresServerInit } from './server.ts';

const log = silentLogger;
const reason = (wanted: string) => (error: unknown) => hasReason(error, wanted) || assert.fail(String(error));
let runtime: Runtime;
let ctx: Context;
let admin: PostgresAddress;

before(async () => {
  const shared = await testServer();
  runtime = shared.runtime;
  admin = shared.admin;
  ctx = rootContext({ runtime });
});

const started = async (init: Partial<PostgresServerInit>): Promise<PostgresServer> => {
  const server = createPostgresServer({ runtime, log, waitMs: 200, ...init });
  await server.start();
  return server;
};

const asAdmin = async (sql: string): Promise<void> => {
  const db = createDatabase({ service: 'admin', address: admin, runtime, log });
  await db.at(ctx).query(sql);
  await db.close();
};

test('a role gets into its own database and into no other', async () => {
  const server = await started({ server: toUrl(admin), prefix: 'alone' });
  const own = parseAddress(await server.urlOf('one'));
  await server.urlOf('two');
  assert.deepEqual([own.user, own.database], ['alone_one', 'alone_one']);
  for (const database of ['alone_two', 'postgres', 'template1']) {
    const db = createDatabase({ service: 'one', address: { ...own, database }, runtime, log });
    await assert.rejects(db.at(ctx).query('SELECT 1'), reason('STORE_ACCESS_DENIED'));
    await db.close();
  }
  const db = await server.open('one');
  await db.at(ctx).query('CREATE TABLE mine (id int)');
  await db.close();
  await server.stop();
});

test('a privilege keeps roles apart as well, not only the sign-in rules', async () => {
  const server = await started({ server: toUrl(admin), prefix: 'apart' });
  await server.urlOf('one');
  const db = createDatabase({ service: 'admin', address: admin, runtime, log });
  const { rows } = await db.at(ctx).query("SELECT has_database_privilege('public', 'apart_one', 'CONNECT') AS public");
  assert.deepEqual(rows, [{ public: false }]);
  await db.close();
  await server.stop();
});

test('several processes at once make a database once', async () => {
  const servers = await Promise.all([1, 2, 3, 4].map(() => started({ server: toUrl(admin), prefix: 'race' })));
  const open = await Promise.all(servers.map((server) => server.open('orders')));
  for (const db of open) await db.at(ctx).query('SELECT 1');
  await Promise.all(open.map((db) => db.close()));
  await Promise.all(servers.map((server) => server.stop()));
});

test('data stays when a service is opened again, also when its role has another password than ours', async () => {
  const first = await started({ server: toUrl(admin), prefix: 'again' });
  const db = await first.open('orders');
  await db.at(ctx).query('CREATE TABLE kept (id int)');
  await db.close();
  await first.stop();
  await asAdmin("ALTER ROLE again_orders PASSWORD 'lost'");
  const second = await started({ server: toUrl(admin), prefix: 'again' });
  const reopened = await second.open('orders');
  assert.equal((await reopened.at(ctx).query('SELECT * FROM kept')).rowCount, 0);
  await reopened.close();
  await second.stop();
});

test('a role that may create no roles is used itself', async () => {
  await asAdmin("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'");
  await asAdmin('CREATE DATABASE plain OWNER plain');
  const lines: string[] = [];
  const server = await started({
    server: toUrl({ ...admin, user: 'plain', password: 'plain', database: 'plain' }),
    prefix: 'shared',
    log: { ...log, warn: (line) => void lines.push(line) },
  });
  const own = parseAddress(await server.urlOf('one'));
  assert.deepEqual([own.user, own.database], ['plain', 'shared_one']);
  assert.match(lines.join(), /no login role/);
  await server.stop();
});

test('a service with a URL of its own needs no administrator', async () => {
  const maker = await started({ server: toUrl(admin), prefix: 'own' });
  const url = await maker.urlOf('orders');
  const server = await started({ serviceUrls: { orders: url } });
  const db = await server.open('orders');
  await db.at(ctx).query('SELECT 1');
  await db.close();
  await assert.rejects(server.open('users'), reason('POSTGRES_NOT_STARTED'));
  await server.stop();
  await maker.stop();
});

test('a server that is not there is one clear line without a password', async () => {
  const server = createPostgresServer({ runtime, log, waitMs: 50, server: 'postgres://souk:secret@127.0.0.1:1/shop' });
  await assert.rejects(
    server.start(),
    (error) =>
      hasReason(error, 'POSTGRES_UNREACHABLE') &&
      (error as Error).message === 'no PostgreSQL answers at 127.0.0.1:1: ECONNREFUSED',
  );
});

test('a server that accepts and never answers is given up', async () => {
  const mute = createServer(() => {});
  const port = await new Promise<number>((resolve) =>
    mute.listen(0, '127.0.0.1', () => resolve((mute.address() as { port: number }).port)),
  );
  const server = createPostgresServer({ runtime, log, waitMs: 100, server: `postgres://a:b@127.0.0.1:${port}/c` });
  await assert.rejects(server.start());
  mute.close();
});

test('a wrong password is said to be one', async () => {
  const server = createPostgresServer({ runtime, log, server: toUrl({ ...admin, password: 'wrong' }) });
  await assert.rejects(server.start(), reason('POSTGRES_ACCESS_DENIED'));
});

test('names that are no names of databases are refused', async () => {
  const server = await started({ server: toUrl(admin), prefix: 'name' });
  for (const name of ['a"b', 'Ä', 'x'.repeat(60)])
    await assert.rejects(server.open(name), reason('POSTGRES_NAME_INVALID'));
  await server.stop();
});
after(() => ctx[Symbol.dispose]());
