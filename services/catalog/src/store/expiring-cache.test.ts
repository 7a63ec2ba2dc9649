import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { createExpiringCache } from './expiring-cache.ts';

/** A cache of numbers whose weight is their value, and a load that counts its calls and takes virtual time. */
function world(capacity = 100, sparing = true, ttlMs = 1_000) {
  const runtime = virtualRuntime();
  const cache = createExpiringCache<number>({
    clock: runtime.clock,
    capacity,
    weightOf: (value) => value,
    ttlMsOf: () => ttlMs,
    sparing,
  });
  let loads = 0;
  const load =
    (value: number, ms = 0) =>
    async () => {
      loads++;
      if (ms > 0) await runtime.timers.sleep(ms);
      return value;
    };
  return { runtime, cache, load, loads: () => loads };
}

test('a value is computed once until it expires', async () => {
  const { cache, load, loads, runtime } = world();
  await cache.get('a', load(1));
  await cache.get('a', load(1));
  assert.equal(loads(), 1);
  await runtime.advance(1_000);
  await cache.get('a', load(1));
  assert.equal(loads(), 2);
});

test('callers at the same time share one load', async () => {
  const { cache, load, loads, runtime } = world();
  const both = Promise.all([cache.get('a', load(1, 10)), cache.get('a', load(1, 10))]);
  await runtime.advance(10);
  assert.deepEqual(await both, [1, 1]);
  assert.equal(loads(), 1);
});

test('a load that fails fails only the caller who made it, and is not kept', async () => {
  const { cache, load, runtime } = world();
  const failing = cache.get('a', async () => {
    await runtime.timers.sleep(10);
    throw new Error('gone');
  });
  const joined = cache.get('a', load(2));
  const failed = assert.rejects(failing, /gone/);
  await runtime.advance(10);
  await failed;
  assert.equal(await joined, 2);
  assert.equal(await cache.get('a', load(3)), 3);
});

test('a write ends quick values at once, and a load that was under way is not kept', async () => {
  const { cache, load, loads, runtime } = world();
  await cache.get('a', load(1, 0));
  const slow = cache.get('b', load(1, 50));
  cache.invalidate();
  await runtime.advance(50);
  await slow;
  await cache.get('a', load(2));
  assert.equal(await cache.get('b', load(2)), 2);
  assert.equal(loads(), 4);
});

test('a dear value outlives writes for twenty times as long as it took', async () => {
  const { cache, load, runtime } = world(100, true, 60_000);
  const dear = cache.get('a', load(1, 400));
  await runtime.advance(400);
  await dear;
  cache.invalidate();
  await runtime.advance(7999);
  assert.equal(await cache.get('a', load(2)), 1);
  cache.invalidate();
  await runtime.advance(1);
  assert.equal(await cache.get('a', load(2)), 2);
});

test('what was asked for least recently goes first when there is too much', async () => {
  const { cache, load } = world(10);
  await cache.get('a', load(4));
  await cache.get('b', load(4));
  await cache.get('a', load(4));
  await cache.get('c', load(4));
  assert.equal(await cache.get('a', load(5)), 4);
  assert.equal(await cache.get('b', load(5)), 5);
});

test('a cache that spares nothing forgets dear values at once, too', async () => {
  const { cache, load, runtime } = world(100, false);
  const dear = cache.get('a', load(1, 40));
  await runtime.advance(40);
  await dear;
  assert.equal(cache.expiryOf('a'), 1_040);
  cache.invalidate();
  assert.equal(cache.expiryOf('a'), 0);
  assert.equal(await cache.get('a', load(2)), 2);
});
