import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Load, quantile, simulate } from '../../test/queue-simulation.ts';

const LOAD: Load = { backends: 10, workers: 4, meanMs: 10, load: 0.7, slowness: () => 1, calls: 30_000 };
const p99 = (settings: object, load: Partial<Load> = {}) => quantile(simulate(settings, { ...LOAD, ...load }), 0.99);
const oneSlow = (times: number) => ({ slowness: (backend: number) => (backend === 0 ? times : 1) });
const BARE = { outlier: { enabled: false } };

test('least request: with one of ten instances ten times slower the p99 is at most 1.3 times that of healthy ones', () => {
  for (const load of [0.5, 0.7]) {
    const healthy = p99(BARE, { load });
    const slow = p99(BARE, { load, ...oneSlow(10) });
    assert.ok(slow <= 1.3 * healthy, `${slow} ms instead of ${healthy} ms at ${load}`);
  }
});

test('least request of two draws keeps it at most 1.3 times, too', () => {
  const settings = { ...BARE, leastRequest: { fullScanUpTo: 0 } };
  const [healthy, slow] = [p99(settings), p99(settings, oneSlow(10))];
  assert.ok(slow <= 1.3 * healthy, `${slow} ms instead of ${healthy} ms`);
});

test('peak EWMA hardly feels an instance that is slower', () => {
  const settings = { ...BARE, algorithm: 'peakEwma' };
  const [healthy, slow] = [p99(settings), p99(settings, oneSlow(10))];
  assert.ok(slow <= 1.15 * healthy, `${slow} ms instead of ${healthy} ms`);
});

test('in turn, or by chance, calls pile up on it', () => {
  for (const algorithm of ['random', 'roundRobin'])
    assert.ok(p99({ ...BARE, algorithm }, oneSlow(10)) > 1000, algorithm);
});

test('among equal instances least request is as good as looking at all of them, and better than chance', () => {
  const [least, random] = [p99(BARE, { load: 0.8 }), p99({ ...BARE, algorithm: 'random' }, { load: 0.8 })];
  assert.ok(least < 50 && random > 60, `${least} and ${random} ms`);
});

test('latency ejection keeps calls away from it, where the algorithm does not', () => {
  const settings = {
    algorithm: 'roundRobin',
    outlier: { latency: { enabled: true }, ejectionMs: 600_000, maxEjectionMs: 600_000 },
  };
  // Of 60 s, the first 10 pass until the first look, and 40 more until the queue that came about has been worked off.
  const after = simulate(settings, { ...LOAD, calls: 120_000, load: 0.5, ...oneSlow(10) }).slice(-15_000);
  assert.ok(quantile(after, 0.99) < 70, `${quantile(after, 0.99)} ms`);
});
