import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Context, rootContext, virtualRuntime } from '@souk/kernel';
import type { Connection } from './connection.ts';
import { poolDefaults } from './options.ts';
import { createPool } from './pool.ts';

/** A pool of one connection, which somebody has, and a clock that can run ahead of its timers as in a process that is too busy. */
async function world(queueLimit = poolDefaults.queueLimit) {
  const virtual = virtualRuntime();
  let aheadMs = 0;
  const monotonicMs = () => virtual.clock.monotonicMs() + aheadMs;
  const runtime = { ...virtual, clock: { ...virtual.clock, monotonicMs } };
  const connection = { broken: false, hold: () => {}, idleSinceMs: 0 } as unknown as Connection;
  const options = { ...poolDefaults, poolSize: 1, queueLimit };
  const init = { runtime, options, address: undefined as never, applicationName: 'test' };
  const pool = createPool('shop', init, async () => connection);
  const ctx = rootContext({ runtime });
  await pool.wait(ctx);
  const given: string[] = [];
  return {
    pool,
    given,
    wait: (name: string, on: Context = ctx) => {
      const waiting = pool.wait(on);
      waiting.then(
        () => given.push(name),
        () => {},
      );
      return waiting;
    },
    within: (timeoutMs: number) => rootContext({ runtime, timeoutMs }),
    release: async () => {
      pool.release(connection);
      await virtual.settle();
    },
    stall: (ms: number) => {
      aheadMs += ms;
    },
  };
}

test('what comes free goes to the first whose time is not over', async () => {
  const { wait, within, release, stall, given } = await world();
  const late = assert.rejects(wait('late', within(50)), { reason: 'STORE_POOL_EXHAUSTED' });
  void wait('in time', within(5000));
  stall(100);
  await release();
  await late;
  assert.deepEqual(given, ['in time']);
});

test('nobody is served who has waited as long as anybody may', async () => {
  const { wait, release, stall, given, pool } = await world();
  const late = assert.rejects(wait('late'), { reason: 'STORE_POOL_EXHAUSTED' });
  stall(poolDefaults.acquireMs);
  await release();
  await late;
  assert.deepEqual([given, pool.state().idle], [[], 1]);
});

test('a full queue refuses who comes, and leaves alone who waits', async () => {
  const { wait, release, given } = await world(2);
  void wait('first');
  void wait('second');
  await assert.rejects(wait('third'), { reason: 'STORE_POOL_EXHAUSTED', retry: { kind: 'later' } });
  await release();
  await release();
  assert.deepEqual(given, ['first', 'second']);
});
