import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lockedForMs } from './lockout.ts';

const policy = { loginFailures: 3, lockout: 1000, maxLockout: 60_000, forgetFailures: 3_600_000 };

test('the first failures are free, then each doubles the lock up to the longest', () => {
  const locks = [0, 1, 2, 3, 4, 5, 8, 9, 10, 1000].map((count) => lockedForMs({ count, lastAt: 0 }, policy, 0));
  assert.deepEqual(locks, [0, 0, 0, 1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
});

test('a lock wears off with time', () => {
  assert.equal(lockedForMs({ count: 4, lastAt: 500 }, policy, 1500), 1000);
  assert.equal(lockedForMs({ count: 4, lastAt: 500 }, policy, 2500), 0);
  assert.equal(lockedForMs(undefined, policy, 0), 0);
});

test('no lock is permanent', () => {
  fc.assert(fc.property(fc.nat(), (count) => lockedForMs({ count, lastAt: 0 }, policy, 0) <= policy.maxLockout));
});
