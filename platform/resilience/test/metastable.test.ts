import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Aftermath, ALL_DEFENCES, type Defences, metastable, NO_DEFENCES } from './metastable-model.ts';

// 80 requests a second for a service that can do 100, and that can do 20 for ten seconds.

const alone = (defences: Partial<Defences>): Aftermath => metastable({ ...NO_DEFENCES, ...defences });
const without = (defences: Partial<Defences>): Aftermath => metastable({ ...ALL_DEFENCES, ...defences });

function assertWell(seen: Aftermath, withinSec: number): void {
  const { recoveredAfterSec = Number.POSITIVE_INFINITY, goodputBefore, goodputAfter } = seen;
  assert.ok(recoveredAfterSec <= withinSec, JSON.stringify(seen));
  if (withinSec <= 5) assert.ok(goodputAfter >= 0.95 * goodputBefore, JSON.stringify(seen));
  assert.ok(seen.attemptsPerRequest <= 1.1, JSON.stringify(seen));
  assert.ok(seen.queued <= 5, JSON.stringify(seen));
}

test('without defences the service answers nobody, long after the trouble is over and though it could answer all', () => {
  const seen = alone({});
  assert.equal(seen.goodputBefore > 79, true);
  assert.equal(seen.recoveredAfterSec, undefined);
  assert.ok(seen.goodputAfter < 1, JSON.stringify(seen));
  assert.ok(seen.attemptsPerRequest > 2.9, JSON.stringify(seen));
});

test('with all defences it answers all within five seconds', () => assertWell(metastable(ALL_DEFENCES), 5));

const LEFT_OUT: readonly [string, Partial<Defences>][] = [
  ['the check of deadlines', { deadlineCheck: undefined }],
  ['the bound of the queue', { queueLimit: NO_DEFENCES.queueLimit }],
  ['the budget of retries', { retryRatio: undefined }],
  ['the throttle', { throttle: undefined }],
];
for (const [name, defences] of LEFT_OUT)
  test(`without ${name} the others still do`, () => assertWell(without(defences), 5));

const CURES: readonly [string, Partial<Defences>][] = [
  ['a bounded queue', { queueLimit: 50 }],
  ['the latest first', { order: 'lifo' }],
  ['a check of deadlines that leaves time for the work', { deadlineCheck: 'in_time' }],
];
for (const [name, defences] of CURES)
  test(`${name} is a cure by itself`, () => {
    const seen = alone(defences);
    assert.ok((seen.recoveredAfterSec ?? Number.POSITIVE_INFINITY) <= 5, JSON.stringify(seen));
    assert.ok(seen.goodputAfter > 76, JSON.stringify(seen));
  });

test('a check of deadlines that does not is none: what is begun at the last moment ends too late', () => {
  const seen = alone({ deadlineCheck: 'expired' });
  assert.equal(seen.recoveredAfterSec, undefined);
});

const RELIEFS: readonly [string, Partial<Defences>][] = [
  ['no retries', { maxAttempts: 1 }],
  ['a budget of retries', { retryRatio: 0.1 }],
  ['a throttle that counts silence as refusal', { throttle: 'silence' }],
];
for (const [name, defences] of RELIEFS)
  test(`${name}: not a cure, for nobody is answered at first, but it ends`, () => {
    const seen = alone(defences);
    assert.ok(seen.goodputAfter < 20, JSON.stringify(seen));
    assert.ok((seen.recoveredAfterSec ?? 0) > 10 && (seen.recoveredAfterSec ?? 999) < 100, JSON.stringify(seen));
  });

test('a throttle that counts refusals cannot help against a service that is silent', () => {
  assert.equal(alone({ throttle: 'refusals' }).recoveredAfterSec, undefined);
});

for (const offered of [50, 95])
  for (const seconds of [2, 30])
    test(`the defences hold at ${offered} % of the capacity and for ${seconds} s of trouble`, () =>
      assertWell(metastable(ALL_DEFENCES, { offered, seconds, left: 0.1 }), 5));
