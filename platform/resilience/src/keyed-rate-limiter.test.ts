import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKeyedRateLimiter, createRateLimiter, type RateLimiterOptions, resolveRateLimiter } from './index.ts';

const keyed = (options: RateLimiterOptions, maxKeys = 100) =>
  createKeyedRateLimiter(resolveRateLimiter(options), { maxKeys });

test('Q1 what one key takes no other misses', () => {
  const one = keyed({ limit: 2 });
  assert.deepEqual(
    ['a', 'a', 'a', 'b'].map((key) => one.tryTake(key, 0)),
    [0, 0, 500, 0],
  );
  assert.deepEqual([one.view('a', 0).remaining, one.view('b', 0).remaining, one.view('c', 0).remaining], [0, 1, 2]);
});

test('Q2 keys are bounded, and what is refused leaves none behind', () => {
  const one = keyed({ limit: 10, burst: 2 }, 3);
  assert.equal(one.tryTake('cheap', 0, 0), Number.POSITIVE_INFINITY);
  assert.equal(one.tryTake('dear', 0, 3), Number.POSITIVE_INFINITY);
  assert.equal(one.reserve('dear', 0, 3, 1e9), -1);
  one.view('seen', 0);
  assert.equal(one.size, 0);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    one.tryTake(`k${nowMs}`, nowMs);
    assert.ok(one.size <= 3);
  }
});

test('Q3 only a key whose limiter has recovered makes room; until then a new one is told when to come again', () => {
  const one = keyed({ limit: 10, burst: 2 }, 2);
  one.tryTake('a', 0, 2);
  one.tryTake('b', 0);
  assert.equal(one.tryTake('c', 50), 50);
  assert.equal(one.reserve('c', 50, 1, 1e9), -1);
  assert.equal(one.tryTake('a', 50), 50, 'a is still known');
  assert.equal(one.tryTake('c', 100), 0, 'b has recovered');
  assert.deepEqual([one.size, one.view('a', 100).remaining], [2, 1]);
});

test('Q3 however many keys are in use, one that has recovered makes room', () => {
  const one = keyed({ limit: 10, burst: 1 }, 40);
  for (let n = 0; n < 40; n++) one.tryTake(`k${n}`, 0);
  for (let n = 0; n < 39; n++) one.tryTake(`k${n}`, 1000);
  assert.equal(one.tryTake('new', 1000), 0, 'k39 took longest ago, though it came last');
  assert.equal(one.tryTake('one more', 1000), 100);
  for (let n = 0; n < 39; n++) assert.equal(one.tryTake(`k${n}`, 1000), 100, 'nobody in use was forgotten');
});

test('Q1, Q3 each key gets what a limiter of its own would give, or is refused for want of room, wherever the clock jumps', () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 6 }).map(String),
    ms: fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min: 0, max: 200 }) },
      { weight: 1, arbitrary: fc.constant(-50_000) },
    ),
    cost: fc.integer({ min: 1, max: 3 }),
    waits: fc.boolean(),
  });
  const shape = fc.record({
    limit: fc.integer({ min: 1, max: 10 }),
    burst: fc.integer({ min: 2, max: 4 }),
    algorithm: fc.constantFrom('gcra', 'sliding_window' as const),
  });
  fc.assert(
    fc.property(
      shape,
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 100, size: 'max' }),
      (options, maxKeys, steps) => {
        const settings = resolveRateLimiter(options);
        const one = createKeyedRateLimiter(settings, { maxKeys });
        const plain = new Map<string, ReturnType<typeof createRateLimiter>>();
        let [clockMs, passedMs] = [1e6, 1e6];
        for (const { key, ms, cost, waits } of steps) {
          clockMs += ms;
          passedMs += Math.max(0, ms);
          const own = plain.get(key) ?? createRateLimiter(settings);
          plain.set(key, own);
          const gets = waits ? one.reserve(key, clockMs, cost, 400) : one.tryTake(key, clockMs, cost);
          if (gets === 0 || (waits && gets > 0)) {
            assert.equal(waits ? own.reserve(passedMs, cost, 400) : own.tryTake(passedMs, cost), gets);
          }
          assert.ok(one.size <= maxKeys);
          const seen = one.view(key, clockMs).remaining;
          assert.equal(seen, own.view(passedMs).remaining);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('other settings hold for all keys at once, and keep what each has taken', () => {
  const one = keyed({ limit: 10 });
  for (let n = 0; n < 10; n++) one.tryTake('a', 0);
  one.configure(resolveRateLimiter({ limit: 20 }), 0);
  assert.equal(one.view('a', 0).remaining, 0);
  assert.equal(one.view('b', 0).remaining, 20);
  one.configure(resolveRateLimiter({ limit: 5, algorithm: 'sliding_window' }), 0);
  assert.equal(one.view('a', 0).remaining, 5);
});

test('a number of keys that is none is refused', () => {
  assert.throws(() => keyed({ limit: 1 }, 0), { message: /rateLimit.maxKeys: want a whole number of at least 1/ });
});
