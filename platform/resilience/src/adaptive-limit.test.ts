import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AdaptiveLimit, createAdaptiveLimit } from './adaptive-limit.ts';
import { type AdaptiveLimitOptions, type LimitAlgorithm, resolveAdaptiveLimit } from './adaptive-limit-options.ts';
import { correlation } from './limit-rule.ts';
import type { Outcome } from './outcome.ts';

const ALGORITHMS: readonly LimitAlgorithm[] = ['correlation', 'vegas', 'gradient2', 'aimd'];

const adaptive = (options: AdaptiveLimitOptions = {}): AdaptiveLimit =>
  createAdaptiveLimit(resolveAdaptiveLimit(options));

interface Window {
  readonly latencyMs: number;
  /** @default all that the limit lets in */
  readonly inFlight?: number;
  readonly failures?: number;
  /** @default 100 */
  readonly calls?: number;
  readonly bad?: Outcome;
}

/** One window of a second after another. @returns the limit after each */
function windows(one: AdaptiveLimit, list: readonly Window[], fromMs = 0): number[] {
  return list.map(({ latencyMs, inFlight, failures = 0, calls = 100, bad = 'failure' }, second) => {
    const startMs = fromMs + second * 1000;
    const there = inFlight ?? one.limit;
    one.onStart(there, startMs);
    for (let n = 0; n < calls; n++)
      one.onEnd(n < failures ? bad : 'success', latencyMs, there, startMs + ((n + 1) * 1000) / calls);
    return one.limit;
  });
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

for (const algorithm of ALGORITHMS) {
  test(`L1 ${algorithm}: whatever is measured, the limit is whole, between its bounds and at most five times what was there`, () => {
    const window = fc.record({
      latencyMs: fc.oneof(fc.double({ min: 0, max: 5000, noNaN: true }), fc.constant(0)),
      inFlight: fc.integer({ min: 0, max: 300 }),
      failures: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(window, { maxLength: 40, size: 'max' }), (list) => {
        const one = adaptive({ algorithm, min: 3, max: 200 });
        let nowMs = 0;
        for (const sample of list) {
          windows(one, [{ ...sample, calls: 50 }], nowMs);
          nowMs += 1000;
          assert.ok(Number.isSafeInteger(one.limit), `${one.limit}`);
          assert.ok(one.limit >= 3 && one.limit <= 200, `${one.limit}`);
          assert.ok(one.limit <= Math.max(3, sample.inFlight * 5), `${one.limit} of ${sample.inFlight}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`L2 ${algorithm}: does not grow while no more than half of it is used`, () => {
    const one = adaptive({ algorithm });
    for (const limit of windows(one, times(200, { latencyMs: 20, inFlight: 10 }))) assert.ok(limit <= 20, `${limit}`);
  });

  test(`${algorithm}: grows while all of it is used and nothing gets slower`, () => {
    const one = adaptive({ algorithm });
    const limits = windows(
      one,
      times(60, { latencyMs: 20 }).map((window, n) => ({ ...window, calls: 100 + n })),
    );
    assert.ok((limits.at(-1) ?? 0) > 30, `${limits.at(-1)}`);
  });

  test(`L4 ${algorithm}: drops bring it down to its minimum, though the calls that succeed are as fast as ever`, () => {
    const one = adaptive({ algorithm });
    windows(one, times(5, { latencyMs: 20 }));
    const limits = windows(one, times(30, { latencyMs: 20, failures: 30 }), 5000);
    assert.equal(limits.at(-1), 4);
  });

  test(`L4 ${algorithm}: one failure in a hundred, whatever its cause, does not starve a healthy server`, () => {
    const one = adaptive({ algorithm });
    const limits = windows(one, times(60, { latencyMs: 20, failures: 1 }));
    assert.ok(Math.min(...limits) >= 20, `${Math.min(...limits)}`);
  });

  test(`${algorithm}: calls that were cancelled or refused here say nothing`, () => {
    const one = adaptive({ algorithm });
    for (const bad of ['cancelled', 'rejected'] as const) windows(one, times(5, { latencyMs: 1, failures: 100, bad }));
    assert.equal(one.limit, 20);
    assert.equal(one.view().latencyMs, undefined);
  });

  test(`${algorithm}: a clock that goes back begins a new window, and one that jumps ends it`, () => {
    const one = adaptive({ algorithm });
    windows(one, times(3, { latencyMs: 20 }), 1e9);
    const before = one.limit;
    windows(one, times(10, { latencyMs: 20, failures: 50 }), 0);
    assert.ok(one.limit < before, `${one.limit} of ${before}`);
    windows(one, [{ latencyMs: 20 }], 1e12);
    assert.ok(one.limit >= 4);
  });
}

test('L3 failures that are fast do not make the server look fast', () => {
  const one = adaptive();
  one.onStart(10, 0);
  for (let n = 0; n < 3; n++) one.onEnd('success', 100, 10, n);
  for (let n = 0; n < 60; n++) one.onEnd('failure', 0.1, 10, 500 + 10 * n);
  assert.equal(one.view().latencyMs, 100);
  assert.equal(one.view().baselineMs, 100);
});

test('L5 the baseline follows a server that has become slower, and one that is fast again', () => {
  const one = adaptive();
  windows(one, times(20, { latencyMs: 20, inFlight: 8 }));
  assert.equal(one.view().baselineMs, 20);
  windows(one, times(60, { latencyMs: 80, inFlight: 8 }), 20_000);
  assert.ok((one.view().baselineMs ?? 0) > 75, `${one.view().baselineMs}`);
  windows(one, times(1, { latencyMs: 20, inFlight: 8 }), 80_000);
  assert.equal(one.view().baselineMs, 20);
});

test('the p90 is that of the window, however many calls it had', () => {
  const one = adaptive();
  one.onStart(10, 0);
  for (let n = 1; n <= 1000; n++) one.onEnd('success', n % 100, 10, n);
  const { latencyMs = 0 } = one.view();
  assert.ok(Math.abs(latencyMs - 90) <= 2, `${latencyMs}`);
});

test('a window with few calls goes on until it says something, for half a minute at most', () => {
  const one = adaptive({ algorithm: 'aimd', initial: 4 });
  for (let second = 0; second < 30; second++) {
    one.onStart(4, second * 1000);
    one.onEnd('success', 20, 4, second * 1000);
    assert.equal(one.view().latencyMs, undefined);
  }
  one.onEnd('success', 20, 4, 30_000);
  assert.equal(one.view().latencyMs, 20);
});

test('aimd goes down when calls take longer than its timeout though none fails', () => {
  const one = adaptive({ algorithm: 'aimd', initial: 100, timeoutMs: 500 });
  const [first] = windows(one, [{ latencyMs: 501 }]);
  assert.equal(first, 90);
});

test('other settings keep what was found out, within the new bounds', () => {
  const one = adaptive({ algorithm: 'aimd', initial: 100 });
  one.configure(resolveAdaptiveLimit({ algorithm: 'vegas', max: 50 }), 0);
  assert.equal(one.limit, 50);
  one.configure(resolveAdaptiveLimit({ algorithm: 'vegas', min: 60 }), 0);
  assert.equal(one.limit, 60);
});

test('onEnd says when the limit has changed', () => {
  const one = adaptive({ algorithm: 'aimd', initial: 10, minSamples: 1, smoothing: 1 });
  one.onStart(10, 0);
  assert.equal(one.onEnd('success', 5, 10, 10), false);
  assert.equal(one.onEnd('success', 5, 10, 1000), true);
  assert.equal(one.limit, 11);
});

test('an idle limit holds no samples', () => {
  const one = adaptive();
  assert.deepEqual(one.view(), { limit: 20, latencyMs: undefined, baselineMs: undefined });
});

test('correlation is 1 for lines up, -1 for lines down, 0 where nothing varies', () => {
  assert.ok(Math.abs(correlation([1, 2, 3], [2, 4, 6]) - 1) < 1e-9);
  assert.ok(Math.abs(correlation([1, 2, 3], [3, 2, 1]) + 1) < 1e-9);
  assert.equal(correlation([1, 1, 1], [3, 2, 1]), 0);
});

test('options that mean nothing are refused by name', () => {
  assert.throws(() => resolveAdaptiveLimit({ min: 0 }), /limit\.min/);
  assert.throws(() => resolveAdaptiveLimit({ min: 10, max: 9 }), /limit\.max/);
  assert.throws(() => resolveAdaptiveLimit({ initial: 2000 }), /limit\.initial/);
  assert.throws(() => resolveAdaptiveLimit({ tolerance: 2 }), /limit\.tolerance/);
  assert.throws(() => resolveAdaptiveLimit({ smoothing: Number.NaN }), /limit\.smoothing/);
});
