import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { test } from 'node:test';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { createInProcessBus, messagingMigrations } from './index.ts';

const EFFECTS = {
  id: 'bazaar/0001-effects',
  sql: 'CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, key text, number int)',
};
const WORKER = new URL('../test/crashing-worker.ts', import.meta.url).pathname;

const startWorker = (on: TestDatabase): ChildProcess =>
  spawn(process.execPath, [WORKER, on.url], { stdio: ['pipe', 'ignore', 'inherit'] });

const rowsOf = async <T>(on: TestDatabase, sql: string): Promise<T[]> => (await on.db.at(on.ctx).query<T>(sql)).rows;

test('an event that kills every process that handles it becomes a dead letter, and no other does', async (t) => {
  const on = await testDatabase('crash', [messagingMigrations, [EFFECTS]]);
  const outside = testService({ on, bus: createInProcessBus({ runtime: on.runtime }) });
  for (const number of [1, 13, 2, 3]) await publishCounted(on, outside, 'poisoned', number);
  for (let key = 0; key < 12; key++) await publishCounted(on, outside, `well-${key}`, key);
  const letters = () => rowsOf<{ reason: string; key: string }>(on, 'SELECT reason, key FROM souk.dead_letter');
  const effects = () => rowsOf<{ key: string; number: number }>(on, 'SELECT key, number FROM effect ORDER BY n');
  let deaths = 0;
  let worker = startWorker(on);
  try {
    for (; deaths < 12; ) {
      const exited = once(worker, 'exit').then(() => 'exited');
      const dead = until('a letter', async () => (await letters()).length > 0, 20_000).then(() => 'dead');
      if ((await Promise.race([exited, dead])) === 'dead') break;
      dead.catch(() => {});
      deaths++;
      // Nobody waits half a minute for a test.
      await on.db
        .at(on.ctx)
        .query("UPDATE souk.retry SET locked_until = now() - interval '1 s' WHERE state = 'running'");
      worker = startWorker(on);
    }
    t.diagnostic(`${deaths} processes died of it`);
    assert.deepEqual(await letters(), [{ reason: 'MESSAGING_ATTEMPTS_LOST', key: 'poisoned' }]);
    await until('all others', async () => (await effects()).length === 15);
    const poisoned = (await effects()).filter(({ key }) => key === 'poisoned').map(({ number }) => number);
    assert.deepEqual(poisoned, [1, 2, 3]);
    assert.ok(deaths >= 3 && deaths <= 6, String(deaths));
    await until('an empty outbox', async () => (await rowsOf(on, 'SELECT FROM souk.outbox')).length === 0);
  } finally {
    worker.kill('SIGKILL');
    await on.close();
  }
});

test('after a kill -9 another process relays within five seconds', async (t) => {
  const on = await testDatabase('takeover', [messagingMigrations, [EFFECTS]]);
  const worker = startWorker(on);
  // The real length of a lease, under a holder that renews it too often.
  await until(
    'a relay',
    async () => (await rowsOf(on, 'SELECT FROM souk.relay_lease WHERE owner IS NOT NULL')).length > 0,
  );
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  await on.db.at(on.ctx).query("UPDATE souk.relay_member SET alive_until = clock_timestamp() + interval '3600 ms'");
  const killedMs = on.runtime.clock.monotonicMs();
  const { pollMs, leaseMs } = { pollMs: 1000, leaseMs: 3600 };
  const next = testService({ on, bus: createInProcessBus({ runtime: on.runtime }), options: { pollMs, leaseMs } });
  await next.start();
  await until('a takeover', () => next.health().relay === 'leading');
  const tookMs = on.runtime.clock.monotonicMs() - killedMs;
  t.diagnostic(`taken over after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs <= 5000, String(tookMs));
  await next.stop();
  await on.close();
});
