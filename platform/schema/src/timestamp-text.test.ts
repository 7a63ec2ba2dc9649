import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timestampText } from './timestamp-text.ts';

const byDate = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

test('a time reads as Date writes it', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), fc.nat(999), (seconds, ms) => {
      assert.equal(timestampText(seconds, ms * 1_000_000), byDate(seconds * 1000 + ms));
    }),
    { numRuns: 2000 },
  );
});

test('every day of four centuries has its date', () => {
  for (let day = -146_097; day <= 2 * 146_097; day++)
    assert.equal(timestampText(day * 86_400, 0), byDate(day * 86_400_000));
});

test('what is finer than a millisecond or no time at all has no text', () => {
  for (const [seconds, nanos] of [
    [0, 1],
    [0, -1_000_000],
    [0, 1_000_000_000],
    [Number.NaN, 0],
    [253_402_300_800, 0],
    [-62_135_596_801, 0],
  ] as const)
    assert.equal(timestampText(seconds, nanos), undefined);
});
