import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Booking, postings } from './booking.ts';

const sum = (all: readonly { minorUnits: bigint }[]) => all.reduce((total, { minorUnits }) => total + minorUnits, 0n);

test('every booking adds up to zero', () => {
  const booking = fc.constantFrom<Booking>('authorize', 'capture', 'void', 'refund', 'refund-failed');
  fc.assert(
    fc.property(booking, fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 0n, max: 10n ** 12n }), (...args) =>
      assert.equal(sum(postings(...args)), 0n),
    ),
  );
});

test('a payment that was captured and refunded leaves nothing on any account', () => {
  const all = [...postings('authorize', 9n, 0n), ...postings('capture', 9n, 9n), ...postings('refund', 0n, 9n)];
  for (const { account } of all) assert.equal(sum(all.filter((one) => one.account === account)), 0n, account);
});
