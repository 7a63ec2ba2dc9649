import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { type BackoffOptions, backoffDelay, resolveBackoff } from './backoff.ts';

/** Always the same chance. */
const chance = (value: number): Random => ({ next: () => value, bytes: (count: number) => new Uint8Array(count) });

const delays = (options: BackoffOptions, count: number, random = chance(0.5)): number[] => {
  const settings = resolveBackoff(options);
  const memory = { previous: 0 };
  return Array.from({ length: count }, (_, index) => backoffDelay(settings, index + 1, memory, random));
};

test('every growth and every jitter gives the delays of its formula', () => {
  const of = (options: BackoffOptions) => delays({ baseMs: 100, capMs: 1000, ...options }, 5);
  assert.deepEqual(of({ jitter: 'none' }), [100, 200, 400, 800, 1000]);
  assert.deepEqual(of({ jitter: 'none', factor: 3 }), [100, 300, 900, 1000, 1000]);
  assert.deepEqual(of({ jitter: 'none', growth: 'constant' }), [100, 100, 100, 100, 100]);
  assert.deepEqual(of({ jitter: 'none', growth: 'linear' }), [100, 200, 300, 400, 500]);
  assert.deepEqual(of({ jitter: 'none', delaysMs: [7, 70] }), [7, 70, 70, 70, 70]);
  assert.deepEqual(of({ jitter: 'full' }), [50, 100, 200, 400, 500]);
  assert.deepEqual(of({ jitter: 'equal' }), [75, 150, 300, 600, 750]);
  assert.deepEqual(of({ jitter: 'fifth' }), [100, 200, 400, 800, 1000]);
  assert.deepEqual(of({ jitter: 'decorrelated' }), [200, 350, 575, 912.5, 1000]);
});

test('the exponent counts in every jitter that grows by it', () => {
  for (const jitter of ['none', 'full', 'equal', 'fifth'] as const) {
    const [first = 0, , third = 0] = delays({ baseMs: 10, capMs: 1e9, factor: 10, jitter }, 3);
    assert.equal(Math.round(third / first), 100, jitter);
  }
});

test('smooth delays grow to the cap and spread over all of the range between', () => {
  const random = seededRandom(7);
  const thirds = Array.from(
    { length: 2000 },
    () => delays({ baseMs: 100, capMs: 1e9, jitter: 'smooth' }, 3, random)[2] ?? 0,
  );
  const mean = thirds.reduce((sum, one) => sum + one, 0) / thirds.length;
  assert.ok(mean > 180 && mean < 230, `mean ${mean}`);
  assert.ok(Math.min(...thirds) < 60 && Math.max(...thirds) > 400);
});

test('a delay is a number of milliseconds between 0 and the cap, whatever the number of the retry', () => {
  const jitters = fc.constantFrom('none', 'full', 'equal', 'fifth', 'decorrelated', 'smooth' as const);
  fc.assert(
    fc.property(
      jitters,
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer(),
      fc.double({ min: 0, max: 1e4, noNaN: true }),
      (jitter, retry, seed, baseMs) => {
        const settings = resolveBackoff({ jitter, baseMs, capMs: 2000 });
        const delay = backoffDelay(settings, retry, { previous: seed % 1e5 }, seededRandom(seed));
        assert.ok(delay >= 0 && delay <= 2000 * 1.2, String(delay));
      },
    ),
  );
});

test('options that contradict each other or are out of range are refused by name', () => {
  const bad = { reason: 'RESILIENCE_BAD_OPTION' };
  assert.throws(() => resolveBackoff({ jitter: 'smooth', growth: 'linear' }), bad);
  assert.throws(() => resolveBackoff({ jitter: 'decorrelated', delaysMs: [1] }), bad);
  assert.throws(() => resolveBackoff({ delaysMs: [] }), bad);
  assert.throws(() => resolveBackoff({ baseMs: -1 }), { ...bad, message: /backoff\.baseMs/ });
  assert.throws(() => resolveBackoff({ capMs: Number.NaN }), { ...bad, message: /backoff\.capMs/ });
});

test('a base of 0 is no wait, however many retries there were', () => {
  const settings = resolveBackoff({ baseMs: 0, jitter: 'none' });
  assert.equal(backoffDelay(settings, 1025, { previous: 0 }, chance(0)), 0);
});
