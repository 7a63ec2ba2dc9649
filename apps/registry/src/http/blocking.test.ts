import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { readOptions, spread } from './blocking.ts';

const waitOf = (query: string) => readOptions(new URLSearchParams(query)).waitMs;

test('a wait is 5 minutes when it is not said, and 10 at most', () => {
  assert.deepEqual(['', 'wait=0', 'wait=30s', 'wait=1h'].map(waitOf), [300_000, 300_000, 30_000, 600_000]);
});

test('a wait is never prolonged by more than a sixteenth: clients give up at a tenth', () => {
  const random = seededRandom(7);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600_000 }), (waitMs) => {
      const spreadMs = spread(waitMs, random);
      assert.ok(spreadMs >= waitMs && spreadMs <= waitMs * (17 / 16));
    }),
  );
});

test('no index is "at once", and so is 0', () => {
  assert.deepEqual(
    ['', 'index=0', 'index=7'].map((query) => readOptions(new URLSearchParams(query)).afterIndex),
    [undefined, undefined, 7],
  );
});
