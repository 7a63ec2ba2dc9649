import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReferenceBucket } from '../test/reference-bucket.ts';
import { adjustRateLimiter, createRateLimiter, resolveRateLimiter } from './index.ts';

const options = fc.record({
  limit: fc.integer({ min: 1, max: 40 }),
  periodMs: fc.constantFrom(100, 1000, 7000),
  burst: fc.integer({ min: 1, max: 12 }),
  algorithm: fc.constantFrom('gcra', 'token_bucket' as const),
});

const cost = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 13, Number.NaN, Number.POSITIVE_INFINITY) },
);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ is: fc.constant('take' as const), cost }) },
  {
    weight: 5,
    arbitrary: fc.record({ is: fc.constant('reserve' as const), cost, maxWaitMs: fc.constantFrom(0, 100, 5000) }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('give back' as const), which: fc.nat(2) }) },
  { weight: 8, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 600 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('back' as const), ms: fc.integer({ min: 1, max: 1e8 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('configure' as const), options }) },
);

test('R1 to R4 whatever is asked, and wherever the clock jumps, a limiter lets through what a leaky bucket lets through', () => {
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 120, size: 'max' }), (first, steps) => {
      const one = createRateLimiter(resolveRateLimiter(first));
      const bucket = new ReferenceBucket(first);
      /** Names of turns, and the level that the bucket had before each; a turn behind which nothing stands has no later one. */
      let turns: { name: number; beforeUs: number }[] = [];
      let nowMs = 5000;
      for (const now of steps) {
        if (now.is === 'wait') {
          nowMs += now.ms;
          bucket.pass(now.ms);
          if (now.ms > 0) turns = [];
        } else if (now.is === 'back') {
          // Read before and after, by calls that take nothing: what nobody read has passed for nobody.
          one.reserve(nowMs, 1, -1e12);
          nowMs -= now.ms;
          one.reserve(nowMs, 1, -1e12);
        } else if (now.is === 'configure') {
          one.configure(resolveRateLimiter(now.options), nowMs);
          bucket.configure(now.options);
        } else if (now.is === 'give back') {
          const turn = turns.at(-1 - now.which);
          if (turn === undefined) continue;
          const isLast = now.which === 0 && turn.name === one.lastTurn && turn.beforeUs >= 0;
          assert.equal(one.giveBack(turn.name), isLast);
          if (!isLast) continue;
          bucket.levelUs = turn.beforeUs;
          turn.beforeUs = -1;
        } else {
          const beforeUs = bucket.levelUs;
          const waitMs = bucket.waitMs(now.cost);
          let isTaken = waitMs === 0;
          if (now.is === 'take') assert.equal(one.tryTake(nowMs, now.cost), waitMs);
          else {
            isTaken = waitMs <= now.maxWaitMs;
            assert.equal(one.reserve(nowMs, now.cost, now.maxWaitMs), isTaken ? waitMs : -1);
          }
          if (isTaken) {
            bucket.pour(now.cost);
            turns.push({ name: one.lastTurn, beforeUs });
          }
        }
        assert.deepEqual(one.view(nowMs), { remaining: bucket.remaining, resetMs: bucket.levelUs / 1000 });
      }
    }),
    { numRuns: 300 },
  );
});

test('R4 wherever the clock jumps, a window takes as much as the same window on a clock that goes on', () => {
  const steps = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 400 }), back: fc.boolean() }), {
    maxLength: 80,
    size: 'max',
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), (moves, limit) => {
      const settings = resolveRateLimiter({ limit, algorithm: 'sliding_window' });
      const [one, other] = [createRateLimiter(settings), createRateLimiter(settings)];
      let [clockMs, passedMs] = [1e9, 1e9];
      for (const { ms, back } of moves) {
        clockMs += ms;
        passedMs += ms;
        assert.equal(one.tryTake(clockMs), other.tryTake(passedMs));
        if (!back) continue;
        clockMs -= 123_456;
        assert.equal(one.tryTake(clockMs), other.tryTake(passedMs));
        assert.deepEqual(one.view(clockMs), other.view(passedMs));
      }
    }),
  );
});

test('other settings keep what a limiter knows; an algorithm of another kind begins anew', () => {
  const of = (algorithm: 'gcra' | 'token_bucket' | 'sliding_window') => resolveRateLimiter({ limit: 5, algorithm });
  const one = createRateLimiter(of('gcra'));
  for (let n = 0; n < 5; n++) one.tryTake(0);
  assert.equal(adjustRateLimiter(one, of('token_bucket'), 0), one);
  assert.ok(one.tryTake(0) > 0);
  const other = adjustRateLimiter(one, of('sliding_window'), 0);
  assert.deepEqual([other === one, other.tryTake(0)], [false, 0]);
});
