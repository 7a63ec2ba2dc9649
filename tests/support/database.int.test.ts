import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idempotencyMigrations } from '@souk/store';
import { testDatabase } from './database.ts';

test('every test gets an empty database of its own', async () => {
  const t0 = performance.now();
  const first = await testDatabase('orders', [idempotencyMigrations]);
  const t1 = performance.now();
  const second = await testDatabase('orders', [idempotencyMigrations]);
  console.log('first', t1 - t0, 'second', performance.now() - t1);
  await first.db.at(first.ctx).query('CREATE TABLE a (x int)');
  await first.db.tx(first.ctx, async (tx) => {
    await tx.query('INSERT INTO a VALUES ($1)', [1]);
  });
  await second.db.at(second.ctx).query('CREATE TABLE a (x int)');
  assert.equal((await second.db.at(second.ctx).query('SELECT * FROM a')).rowCount, 0);
  assert.deepEqual((await first.db.at(first.ctx).query('SELECT x, 5::int8 as n FROM a')).rows, [{ x: 1, n: 5n }]);
  await first.close();
  await second.close();
});
