import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ChargeStatus,
  contradicts,
  type PaymentStatus,
  providerKey,
  refundOfKey,
  refusal,
  resolveAfterMs,
  type Step,
  settledAfter,
  stepsTo,
} from './payment.ts';

const AFTER: Readonly<Record<Step, PaymentStatus>> = {
  authorize: 'AUTHORIZED',
  capture: 'CAPTURED',
  void: 'VOIDED',
  fail: 'FAILED',
};
/** How far a payment is: it never goes down. */
const RANK: Readonly<Record<PaymentStatus, number>> = {
  PENDING: 0,
  AUTHORIZED: 1,
  CAPTURED: 2,
  VOIDED: 2,
  FAILED: 2,
  PARTIALLY_REFUNDED: 3,
  REFUNDED: 4,
};
const charge = fc.constantFrom<ChargeStatus>('authorized', 'captured', 'voided', 'failed');

test('news in any order, late and twice never move a payment backwards', () => {
  fc.assert(
    fc.property(fc.array(charge, { maxLength: 8, size: 'max' }), (news) => {
      let status: PaymentStatus = 'PENDING';
      for (const one of news) {
        const before: number = RANK[status];
        for (const step of stepsTo(status, one)) status = AFTER[step];
        assert.ok(RANK[status] >= before);
        assert.deepEqual(stepsTo(status, one), [], 'the same news again change nothing');
      }
    }),
  );
});

test('a charge captured before we heard of its authorization is authorized first', () => {
  assert.deepEqual(stepsTo('PENDING', 'captured'), ['authorize', 'capture']);
});

test('states that no step can bring together contradict', () => {
  assert.equal(contradicts('VOIDED', 'authorized'), true);
  assert.equal(contradicts('CAPTURED', 'voided'), true);
  assert.equal(contradicts('AUTHORIZED', 'authorized'), false);
  assert.equal(contradicts('PENDING', 'captured'), false);
  assert.equal(contradicts('REFUNDED', 'captured'), false);
});

test('news change nothing exactly where there is no step', () => {
  assert.deepEqual(settledAfter('captured').includes('AUTHORIZED'), false);
  assert.deepEqual(settledAfter('authorized').includes('CAPTURED'), true);
});

test('the key of a purpose is the same each time, and a refund is found by it', () => {
  assert.equal(providerKey('pay_1', 'capture'), 'pay_1/capture');
  assert.equal(refundOfKey('pay_1', providerKey('pay_1', 'refund/rfd_2')), 'rfd_2');
  assert.equal(refundOfKey('pay_1', 'pay_1/capture'), undefined);
});

test('a failure that is not known is a declined card', () => {
  assert.equal(refusal('INSUFFICIENT_FUNDS').reason, 'PAYMENTS_INSUFFICIENT_FUNDS');
  assert.equal(refusal('SOMETHING_NEW').reason, 'PAYMENTS_CARD_DECLINED');
});

test('an unknown outcome is looked for after 5 s, 30 s, 2 min, 10 min, then hourly', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 99].map(resolveAfterMs), [5e3, 30e3, 120e3, 300e3, 300e3, 300e3]);
});
