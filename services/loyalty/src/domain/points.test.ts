import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pointsFor } from './points.ts';

test('a whole unit earns a point at the default rate, rounded down', () => {
  assert.equal(pointsFor(1999n, 2, 100), 19);
  assert.equal(pointsFor(99n, 2, 100), 0);
});

test('a hundred yen and a dinar of three decimals count like one euro', () => {
  assert.equal(pointsFor(1999n, 0, 100), 19);
  assert.equal(pointsFor(19_990n, 3, 100), 19);
});

test('no money and given-back money earn nothing', () => {
  assert.equal(pointsFor(0n, 2, 100), 0);
  assert.equal(pointsFor(-5000n, 2, 100), 0);
});

test('splitting an amount never earns more', () => {
  const amount = fc.bigInt({ min: 0n, max: 10n ** 12n });
  fc.assert(
    fc.property(amount, amount, (one, other) => {
      assert.ok(pointsFor(one, 2, 100) + pointsFor(other, 2, 100) <= pointsFor(one + other, 2, 100));
    }),
  );
});
