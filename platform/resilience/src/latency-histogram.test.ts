import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLatencyHistogram } from './latency-histogram.ts';

const isWithin = (got: number | undefined, want: number): boolean =>
  got !== undefined && Math.abs(got - want) <= want * 0.0201;

test('a quantile is at most 2 % off that of the sorted samples', () => {
  const latency = fc.double({ min: 0.06, max: 1_000_000, noNaN: true });
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 300, size: 'max' }), (samples) => {
      const histogram = createLatencyHistogram();
      for (const ms of samples) histogram.record(ms, 0);
      const sorted = samples.toSorted((a, b) => a - b);
      for (const quantile of [0, 0.5, 0.95, 0.99, 1]) {
        const want = sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] as number;
        const got = histogram.quantile(quantile, 0);
        assert.ok(isWithin(got, want), `${quantile}: want ${want}, got ${got}`);
      }
    }),
    { numRuns: 100 },
  );
});

test('without calls there is no quantile', () => {
  const histogram = createLatencyHistogram();
  assert.deepEqual([histogram.quantile(0.99, 0), histogram.count(0)], [undefined, 0]);
});

test('what is older than 30 seconds is forgotten, and what is younger than 15 is not', () => {
  const histogram = createLatencyHistogram();
  histogram.record(100, 14_999);
  assert.ok(isWithin(histogram.quantile(1, 29_998), 100));
  assert.equal(histogram.count(30_000), 0);
  histogram.record(100, 30_000);
  histogram.record(10, 45_000);
  assert.equal(histogram.count(45_000), 2);
  assert.ok(isWithin(histogram.quantile(1, 60_000), 10));
  assert.equal(histogram.count(600_000), 0);
  histogram.record(7, 600_001);
  assert.deepEqual([histogram.count(600_001), isWithin(histogram.quantile(0.5, 600_001), 7)], [1, true]);
});

test('a clock that goes back loses nothing, and what is no sensible time counts as the nearest that is', () => {
  const histogram = createLatencyHistogram();
  histogram.record(100, 50_000);
  histogram.record(100, 1000);
  assert.equal(histogram.count(0), 2);
  const odd = createLatencyHistogram();
  for (const ms of [-1, 0, Number.POSITIVE_INFINITY]) odd.record(ms, 0);
  assert.equal(odd.count(0), 3);
  assert.ok((odd.quantile(0.5, 0) ?? 1) < 0.06);
  assert.ok((odd.quantile(1, 0) ?? 0) > 2_000_000);
});
