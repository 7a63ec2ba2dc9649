import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { createThrottle, resolveThrottle, type Throttle, type ThrottleOptions } from './throttle.ts';

const throttle = (options: ThrottleOptions = {}, seed = 1): Throttle =>
  createThrottle(resolveThrottle(options), seededRandom(seed));

/** Calls at an even pace. @returns how many were sent */
function call(
  one: Throttle,
  init: { fromMs: number; seconds: number; perSec: number; accepts: (n: number) => boolean },
) {
  let sent = 0;
  for (let n = 0; n < init.seconds * init.perSec; n++) {
    const nowMs = init.fromMs + (n * 1000) / init.perSec;
    if (one.shouldReject(nowMs)) continue;
    one.onAnswer(init.accepts(sent++), nowMs);
  }
  return sent;
}

test('T1 nothing is dropped while half of the calls are accepted', () => {
  const one = throttle();
  assert.equal(call(one, { fromMs: 0, seconds: 60, perSec: 50, accepts: (n) => n % 2 === 0 }), 3000);
});

test('T1 of a target that accepts a tenth about twice as much is asked as it accepts', () => {
  const one = throttle();
  // Takes 5 calls a second, whatever it is asked.
  let second = -1;
  let taken = 0;
  let sent = 0;
  for (let n = 0; n < 60 * 50; n++) {
    const nowMs = n * 20;
    if (Math.floor(nowMs / 1000) !== second) {
      second = Math.floor(nowMs / 1000);
      taken = 0;
    }
    if (one.shouldReject(nowMs)) continue;
    if (nowMs >= 30_000) sent++;
    one.onAnswer(taken++ < 5, nowMs);
  }
  assert.ok(sent / 30 > 7 && sent / 30 < 13, `${sent / 30} a second`);
});

test('T2 of a target that refuses everything a tenth is still asked', () => {
  const one = throttle();
  call(one, { fromMs: 0, seconds: 30, perSec: 50, accepts: () => false });
  const sent = call(one, { fromMs: 30_000, seconds: 600, perSec: 50, accepts: () => false });
  assert.ok(sent > 2500 && sent < 3500, `${sent} of 30000`);
});

test('T2 a target that is well again after ten minutes gets all calls within two windows', () => {
  const one = throttle();
  call(one, { fromMs: 0, seconds: 600, perSec: 50, accepts: () => false });
  call(one, { fromMs: 600_000, seconds: 60, perSec: 50, accepts: () => true });
  const sent = call(one, { fromMs: 660_000, seconds: 10, perSec: 50, accepts: () => true });
  assert.ok(sent >= 490, `${sent} of 500`);
});

test('T3 calls that never reached the target leave nothing behind', () => {
  const one = throttle();
  // Let through here and stopped by a breaker behind: no answer is told.
  for (let n = 0; n < 100_000; n++) assert.equal(one.shouldReject(n * 10), false);
  assert.equal(one.probability(1_000_000), 0);
});

test('T4 a clock that goes back neither freezes what was counted nor forgets it', () => {
  const one = throttle();
  call(one, { fromMs: 1_000_000, seconds: 10, perSec: 50, accepts: () => false });
  const before = one.probability(1_010_000);
  assert.equal(one.probability(5_000), before);
  assert.equal(one.probability(36_000), 0);
});

test('a clock that jumps a year ahead forgets everything at once', () => {
  const one = throttle();
  call(one, { fromMs: 0, seconds: 10, perSec: 50, accepts: () => false });
  assert.equal(one.probability(365 * 86_400_000), 0);
});

test('another window keeps what was counted, and goes on', () => {
  const one = throttle();
  call(one, { fromMs: 1_000_000, seconds: 10, perSec: 50, accepts: () => false });
  const before = one.probability(1_010_000);
  one.configure(resolveThrottle({ windowMs: 120_000 }), 1_010_000);
  assert.equal(one.probability(1_010_000), before);
  assert.equal(one.probability(1_140_000), 0);
  const other = throttle();
  call(other, { fromMs: 1_000_000, seconds: 10, perSec: 50, accepts: () => false });
  other.configure(resolveThrottle({ windowMs: 12_000 }), 1_010_000);
  assert.equal(other.probability(1_010_000), before);
});

test('with few calls nothing is dropped', () => {
  const one = throttle();
  call(one, { fromMs: 0, seconds: 19, perSec: 1, accepts: () => false });
  assert.equal(one.probability(19_000), 0);
});

test('what is counted is what a plain list of the last calls says, to a twelfth of the window', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 4000 }), accepted: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const one = throttle({ minCalls: 0, maxShare: 1 });
      const calls: { atMs: number; accepted: boolean }[] = [];
      let nowMs = 0;
      for (const { afterMs, accepted } of steps) {
        nowMs += afterMs;
        one.onAnswer(accepted, nowMs);
        calls.push({ atMs: nowMs, accepted });
        const fromMs = (Math.floor(nowMs / 2500) - 11) * 2500;
        const recent = calls.filter(({ atMs }) => atMs >= fromMs);
        const accepts = recent.filter((one) => one.accepted).length;
        const want = Math.max(0, (recent.length - 2 * accepts) / (recent.length + 1));
        assert.equal(one.probability(nowMs), want);
      }
    }),
    { numRuns: 100 },
  );
});

test('options that mean nothing are refused by name', () => {
  assert.throws(() => resolveThrottle({ k: 0.5 }), /throttle\.k/);
  assert.throws(() => resolveThrottle({ windowMs: 1 }), /throttle\.windowMs/);
  assert.throws(() => resolveThrottle({ maxShare: 2 }), /throttle\.maxShare/);
});
