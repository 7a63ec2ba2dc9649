import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { idempotencyMigrations } from '@souk/store';
import { testDatabase, testServer } from './database.ts';

test('every test gets an empty, migrated database of its own', async () => {
  const migrations = [idempotencyMigrations];
  const [first, second] = await Promise.all([testDatabase('orders', migrations), testDatabase('orders', migrations)]);
  for (const { db, ctx } of [first, second]) {
    await db.at(ctx).query('CREATE TABLE item AS SELECT 5::int8 AS n');
    assert.deepEqual((await db.at(ctx).query('SELECT n FROM item, souk.migration')).rows, [{ n: 5n }]);
  }
  await Promise.all([first.close(), second.close()]);
});

test('all databases of a process are on one server', async () => {
  assert.equal(await testServer(), await testServer());
});

interface Other {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly folder: string;
}

/** Another test process that uses its database and then waits. */
async function other(): Promise<Other> {
  const script = `
    const { testDatabase, testServer } = await import(${JSON.stringify(join(import.meta.dirname, 'database.ts'))});
    const { db, ctx } = await testDatabase('other');
    await db.at(ctx).query('CREATE TABLE item (id int)');
    const { embedded, admin } = await testServer();
    console.log(JSON.stringify({ pid: embedded.pid, folder: admin.host }));
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, ...(JSON.parse(String(line)) as { pid: number; folder: string }) };
}

const isGone = async ({ pid, folder }: Other): Promise<boolean> => {
  const { runtime } = await testServer();
  for (let i = 0; i < 200; i++) {
    if (!existsSync(`/proc/${pid}`) && !existsSync(folder)) return true;
    await runtime.timers.sleep(50);
  }
  return false;
};

test('two test processes at once have nothing to do with each other, and leave nothing, however they end', async () => {
  const [ending, killed] = await Promise.all([other(), other()]);
  assert.notEqual(ending.pid, killed.pid);
  killed.child.kill('SIGKILL');
  ending.child.stdin?.end();
  assert.deepEqual(await once(ending.child, 'exit'), [0, null]);
  assert.ok(await isGone(killed));
  assert.ok(await isGone(ending));
});
