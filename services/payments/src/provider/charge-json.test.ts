import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCharge, readEvent } from './charge-json.ts';

const charge = {
  id: 'chg_1',
  idempotencyKey: 'pay_1/authorize',
  status: 'captured',
  amount: 10,
  captured: 10,
  refunded: 4,
  currency: 'EUR',
  reference: 'pay_1',
  failureCode: '',
  refunds: [{ id: 'ref_1', idempotencyKey: 'pay_1/refund/rfd_1', amount: 4, status: 'succeeded' }],
};

test('a charge is read with amounts as integers', () => {
  const read = readCharge(charge);
  assert.deepEqual([read?.amount, read?.refunds[0]?.amount], [10n, 4n]);
});

test('what misses a part or has it wrong is no charge', () => {
  for (const name of Object.keys(charge)) assert.equal(readCharge({ ...charge, [name]: undefined }), undefined, name);
  for (const amount of [-1, 1.5, '10', 2 ** 53, null]) assert.equal(readCharge({ ...charge, amount }), undefined);
  assert.equal(readCharge({ ...charge, status: 'won' }), undefined);
  assert.equal(readCharge({ ...charge, refunds: [{}] }), undefined);
});

test('nothing that is sent can make the reader throw', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void readEvent(value)));
  assert.equal(readEvent({ id: 'evt', type: 'charge.captured', data: charge })?.charge.id, 'chg_1');
});
