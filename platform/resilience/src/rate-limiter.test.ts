import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRateLimiter, type RateLimiterOptions, resolveRateLimiter } from './index.ts';

const limiter = (options: RateLimiterOptions) => createRateLimiter(resolveRateLimiter(options));

test('a burst goes through at once, then one per interval; what is refused takes nothing', () => {
  const one = limiter({ limit: 10, burst: 3 });
  assert.deepEqual(
    [1, 2, 3].map(() => one.tryTake(0)),
    [0, 0, 0],
  );
  for (let n = 0; n < 20; n++) assert.equal(one.tryTake(0), 100);
  assert.equal(one.tryTake(99), 1);
  assert.equal(one.tryTake(100), 0);
  assert.equal(one.tryTake(100), 100);
});

test('a cost beyond the burst is refused for ever, and costs nothing', () => {
  const one = limiter({ limit: 10, burst: 3 });
  assert.equal(one.tryTake(0, 4), Number.POSITIVE_INFINITY);
  assert.equal(one.reserve(0, 4, 1e9), -1);
  assert.equal(one.tryTake(0, 3), 0);
});

test('R3 those who may wait get turns at the rate, in the order of asking; one that is given back is the next one’s', () => {
  const one = limiter({ limit: 10, burst: 1 });
  assert.deepEqual(
    [1, 2, 3].map(() => one.reserve(0, 1, 250)),
    [0, 100, 200],
  );
  assert.equal(one.reserve(0, 1, 250), -1);
  assert.equal(one.giveBack(one.lastTurn), true);
  assert.equal(one.reserve(0, 1, 250), 200);
});

test('the rate does not drift over a million calls', () => {
  const one = limiter({ limit: 3, burst: 1 });
  let nowMs = 0;
  for (let n = 0; n < 1_000_000; n++) {
    const waitMs = one.reserve(nowMs, 1, 1e9);
    nowMs += waitMs;
  }
  assert.ok(Math.abs(nowMs - 999_999 * 333.333) < 1, String(nowMs));
});

test('R4 a clock that goes back gives nothing for free and locks nobody out', () => {
  for (const algorithm of ['gcra', 'sliding_window'] as const) {
    const one = limiter({ limit: 5, algorithm });
    for (let n = 0; n < 5; n++) assert.equal(one.tryTake(10_000), 0);
    assert.ok(one.tryTake(0) > 0, algorithm);
    assert.equal(one.tryTake(12_000), 0, algorithm);
  }
});

test('R1, R2 within any span no more goes through than burst and rate allow, and who waits as told gets in', () => {
  const ops = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 500 }), cost: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 120,
    size: 'max',
  });
  fc.assert(
    fc.property(ops, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 3, max: 10 }), (steps, limit, burst) => {
      const one = limiter({ limit, burst });
      const taken: { atMs: number; cost: number }[] = [];
      let nowMs = 0;
      for (const { ms, cost } of steps) {
        nowMs += ms;
        const before = one.view(nowMs).remaining;
        const waitMs = one.tryTake(nowMs, cost);
        assert.equal(waitMs === 0, before >= cost);
        if (waitMs === 0) taken.push({ atMs: nowMs, cost });
        else {
          const at = Math.ceil(nowMs + waitMs);
          assert.ok(one.view(at).remaining >= cost, 'the wait that was told is enough');
        }
      }
      const intervalMs = Math.round(1e6 / limit) / 1000;
      for (const [first, { atMs }] of taken.entries()) {
        let sum = 0;
        for (const { atMs: then, cost } of taken.slice(first)) {
          sum += cost;
          assert.ok(sum <= burst + (then - atMs) / intervalMs + 1e-6, `${sum} in ${then - atMs} ms`);
        }
      }
    }),
  );
});

test('a sliding window never lets through more than its limit in any period, and hardly less', () => {
  const one = limiter({ limit: 100, algorithm: 'sliding_window' });
  const taken: number[] = [];
  for (let nowMs = 500; nowMs < 20_000; nowMs += 2) if (one.tryTake(nowMs) === 0) taken.push(nowMs);
  for (const from of taken) {
    const count = taken.filter((at) => at >= from && at < from + 1000).length;
    assert.ok(count <= 100, `${count} from ${from}`);
  }
  const rate = taken.length / 19.5;
  assert.ok(rate > 90 && rate <= 102, String(rate));
});

test('the wait that a sliding window tells is enough, and hardly too much', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 10 }),
      (gaps, limit) => {
        const one = limiter({ limit, algorithm: 'sliding_window' });
        let nowMs = 0;
        for (const gap of gaps) {
          nowMs += gap;
          const waitMs = one.tryTake(nowMs);
          if (waitMs === 0) continue;
          assert.ok(waitMs <= 1100);
          nowMs += waitMs;
          assert.equal(one.tryTake(nowMs), 0);
        }
      },
    ),
  );
});

test('R4 after a clock that went back by an hour calls go on at the rate', () => {
  for (const algorithm of ['gcra', 'sliding_window'] as const) {
    const one = limiter({ limit: 10, algorithm });
    for (let n = 0; n < 10; n++) one.tryTake(3_600_000);
    assert.ok(one.tryTake(0) <= 1100, algorithm);
    let taken = 0;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) if (one.tryTake(nowMs) === 0) taken++;
    assert.ok(taken >= 530 && taken <= 600, `${algorithm} ${taken}`);
  }
});

test('R2 a cost that is none is refused for ever, and takes nothing', () => {
  for (const algorithm of ['gcra', 'sliding_window'] as const)
    for (const cost of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const one = limiter({ limit: 10, algorithm });
      assert.equal(one.tryTake(0, cost), Number.POSITIVE_INFINITY);
      assert.equal(one.reserve(0, cost, 1e9), -1);
      assert.equal(one.view(0).remaining, 10);
    }
});

test('R3 a turn that others stand behind is not given back, nor one twice', () => {
  const one = limiter({ limit: 10, burst: 1 });
  const turns = [0, 1, 2].map(() => {
    one.reserve(0, 1, 1e9);
    return one.lastTurn;
  });
  assert.equal(one.giveBack(turns[1] as number), false);
  assert.equal(one.reserve(0, 1, 1e9), 300);
  const last = one.lastTurn;
  assert.deepEqual([one.giveBack(last), one.giveBack(last)], [true, false]);
  assert.equal(one.reserve(0, 1, 1e9), 300);
});

test('R3 what was taken of a window is given back only where it was taken', () => {
  const one = limiter({ limit: 2, algorithm: 'sliding_window' });
  one.reserve(0, 2, 0);
  assert.equal(one.giveBack(one.lastTurn), true);
  assert.equal(one.giveBack(one.lastTurn), false);
  assert.equal(one.reserve(0, 2, 0), 0);
  assert.equal(one.tryTake(500), 600);
  assert.equal(one.giveBack(one.lastTurn), false);
});

test('an algorithm that there is not is refused by name', () => {
  const algorithm = 'nope' as 'gcra';
  assert.throws(() => limiter({ limit: 1, algorithm }), { message: /rateLimit.algorithm: want one of gcra, token_/ });
});
