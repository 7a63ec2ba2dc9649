import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { testDatabase } from '../../../tests/support/database.ts';
import type { Database, Sql } from './database.ts';
import { migrate } from './migrate.ts';
import type { Migration } from './migration.ts';

const first: Migration = { id: 'shop/0001-item', sql: 'CREATE TABLE item (id int); INSERT INTO item VALUES (1);' };
const second: Migration = { id: 'shop/0002-more', sql: 'INSERT INTO item VALUES (2)' };
const other: Migration = { id: 'box/0001-box', sql: 'CREATE TABLE souk.box (id int)' };
const reason = (wanted: string) => (error: unknown) => hasReason(error, wanted);
const items = async (sql: Sql): Promise<number> => (await sql.query('SELECT FROM item')).rowCount;

test('each migration runs once, in order, and later ones are added', async () => {
  const { db, ctx, close } = await testDatabase('migrate');
  assert.deepEqual(await migrate(db, ctx, [[other], [first]]), ['box/0001-box', 'shop/0001-item']);
  assert.deepEqual(await migrate(db, ctx, [[other], [first, second]]), ['shop/0002-more']);
  assert.deepEqual(await migrate(db, ctx, [[other], [first, second]]), []);
  assert.equal(await items(db.at(ctx)), 2);
  await close();
});

test('nothing to do takes one query', async () => {
  const { db, ctx, close } = await testDatabase('migrate', [[first]]);
  let queries = 0;
  const counting: Database = {
    ...db,
    at: (ctx) => {
      queries++;
      return db.at(ctx);
    },
    tx: () => assert.fail('no transaction is needed'),
  };
  await migrate(counting, ctx, [[first]]);
  assert.equal(queries, 1);
  await close();
});

test('five processes at once run each migration once', async () => {
  const { db, ctx, close } = await testDatabase('migrate');
  const done = await Promise.all(Array.from({ length: 5 }, () => migrate(db, ctx, [[first, second]])));
  assert.deepEqual(done.flat().sort(), [first.id, second.id]);
  assert.equal(await items(db.at(ctx)), 2);
  await close();
});

test('a changed migration stops everything before anything is changed', async () => {
  const { db, ctx, close } = await testDatabase('migrate', [[first]]);
  const changed = { ...first, sql: `${first.sql} -- changed` };
  await assert.rejects(migrate(db, ctx, [[changed, second]]), reason('STORE_MIGRATION_CHANGED'));
  assert.equal(await items(db.at(ctx)), 1);
  await close();
});

test('a database of a newer version is refused, and one with a group that is not asked for is not', async () => {
  const { db, ctx, close } = await testDatabase('migrate', [[first, second], [other]]);
  await assert.rejects(migrate(db, ctx, [[first]]), reason('STORE_MIGRATION_NEWER'));
  assert.deepEqual(await migrate(db, ctx, [[first, second]]), []);
  await close();
});

test('a migration that fails is undone, those before it stay, and it can be tried again', async () => {
  const { db, ctx, close } = await testDatabase('migrate');
  const broken = { id: second.id, sql: 'INSERT INTO item VALUES (2); SELECT * FROM nowhere;' };
  await assert.rejects(
    migrate(db, ctx, [[first, broken]]),
    (error) => hasReason(error, 'STORE_MIGRATION_FAILED') && /shop\/0002-more.*nowhere/.test((error as Error).message),
  );
  assert.equal(await items(db.at(ctx)), 1);
  assert.deepEqual(await migrate(db, ctx, [[first, second]]), [second.id]);
  await close();
});

test('lists that cannot be ordered are refused', async () => {
  const { db, ctx, close } = await testDatabase('migrate');
  for (const list of [[second, first], [first, first], [{ id: 'no-group', sql: '' }]]) {
    await assert.rejects(migrate(db, ctx, [list]), reason('STORE_MIGRATIONS_INVALID'));
  }
  await close();
});
