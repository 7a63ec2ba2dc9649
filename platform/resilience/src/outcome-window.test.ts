import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createOutcomeWindow, type OutcomeTotals, type WindowOptions } from './outcome-window.ts';

interface Sample {
  readonly atMs: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

/** All samples ever, counted each time. */
function countPlainly(options: WindowOptions, samples: readonly Sample[], nowMs: number): OutcomeTotals {
  const bucket = (ms: number) => ('count' in options ? 0 : Math.floor(ms / options.bucketMs));
  const held =
    'count' in options
      ? samples.slice(-options.count)
      : samples.filter(({ atMs }) => bucket(nowMs) - bucket(atMs) < options.buckets);
  return {
    total: held.length,
    failures: held.filter((one) => one.failed).length,
    slow: held.filter((one) => one.slow).length,
  };
}

const totalsOf = ({ total, failures, slow }: OutcomeTotals): OutcomeTotals => ({ total, failures, slow });
const fillsOf = (): { fill: Uint32Array['fill'] } => Object.getPrototypeOf(Uint32Array.prototype);

const anyWindow: fc.Arbitrary<WindowOptions> = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ buckets: fc.integer({ min: 1, max: 12 }), bucketMs: fc.constantFrom(1, 7, 1000) }),
);
const anyStep = fc.record({
  // Back, not at all, on, far on.
  deltaMs: fc.oneof(fc.integer({ min: -3000, max: 0 }), fc.constant(0), fc.integer({ max: 4000 }), fc.nat(1e9)),
  failed: fc.boolean(),
  slow: fc.boolean(),
});

test('N1 N3 N4 the totals are those of a plain list of samples, whichever way the clock goes and whoever asks', () => {
  fc.assert(
    fc.property(
      anyWindow,
      fc.array(anyStep, { maxLength: 100, size: 'max' }),
      fc.nat(20_000),
      (options, steps, aheadMs) => {
        const window = createOutcomeWindow(options);
        const samples: Sample[] = [];
        let givenMs = 10_000;
        let latestMs = Number.NEGATIVE_INFINITY;
        for (const { deltaMs, failed, slow } of steps) {
          givenMs += deltaMs;
          latestMs = Math.max(latestMs, givenMs);
          samples.push({ atMs: latestMs, failed, slow });
          window.add(failed, slow, givenMs);
          assert.deepEqual(totalsOf(window), countPlainly(options, samples, latestMs));
          const later = latestMs + aheadMs;
          assert.deepEqual(totalsOf(window.at(later)), countPlainly(options, samples, later));
          assert.deepEqual(totalsOf(window.at(givenMs)), countPlainly(options, samples, latestMs));
        }
        window.clear();
        assert.deepEqual(totalsOf(window.at(latestMs)), { total: 0, failures: 0, slow: 0 });
        window.add(true, false, latestMs);
        assert.deepEqual(totalsOf(window), { total: 1, failures: 1, slow: 0 });
      },
    ),
    { numRuns: 300 },
  );
});

test('N2 time that passed is made up for at once and once, ten minutes like an hour', (t) => {
  const window = createOutcomeWindow({ buckets: 30, bucketMs: 1000 });
  window.add(true, true, 0);
  const fills = t.mock.method(fillsOf(), 'fill');
  window.add(false, false, 600_000);
  assert.deepEqual(totalsOf(window), { total: 1, failures: 0, slow: 0 });
  assert.equal(fills.mock.callCount(), 30);
  window.add(false, false, 600_000 + 3_600_000);
  assert.equal(fills.mock.callCount(), 60);
  window.add(false, false, 600_000 + 3_600_000 + 999);
  assert.equal(fills.mock.callCount(), 60);
  window.add(false, false, 600_000 + 3_601_000);
  assert.equal(fills.mock.callCount(), 61);
});

test('N2 what an operation costs does not depend on how many calls the window holds', (t) => {
  const fills = t.mock.method(fillsOf(), 'fill');
  const copies = t.mock.method(fillsOf() as unknown as { set: Uint8Array['set'] }, 'set');
  const costOf = (options: WindowOptions, calls: number): readonly number[] => {
    const window = createOutcomeWindow(options);
    for (let n = 0; n < calls; n++) window.add(n % 2 === 0, n % 3 === 0, (n * 20_000) / calls);
    const [fillsBefore, copiesBefore] = [fills.mock.callCount(), copies.mock.callCount()];
    for (let n = 0; n < 100; n++) {
      window.at(20_000 + n * 100);
      window.add(true, true, 20_000 + n * 100);
    }
    return [fills.mock.callCount() - fillsBefore, copies.mock.callCount() - copiesBefore];
  };
  const time = { buckets: 30, bucketMs: 1000 };
  assert.deepEqual(costOf(time, 20_000), costOf(time, 100));
  assert.deepEqual(costOf({ count: 100 }, 20_000), [0, 0]);
});

test('N2 a large window that saw few calls is small, and grows only up to its size', (t) => {
  const copies = t.mock.method(fillsOf() as unknown as { set: Uint8Array['set'] }, 'set');
  const window = createOutcomeWindow({ count: 1000 });
  for (let n = 0; n < 16; n++) window.add(true, false, 0);
  assert.equal(copies.mock.callCount(), 0);
  for (let n = 0; n < 10_000; n++) window.add(true, false, 0);
  assert.equal(copies.mock.callCount(), 6);
  assert.equal(window.total, 1000);
});
