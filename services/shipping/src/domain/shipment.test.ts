import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { quotes } from './quote.ts';
import { mayMove } from './shipment.ts';

test('a parcel that has left cannot be cancelled, and the error names what it can become', () => {
  assert.throws(
    () => mayMove('IN_TRANSIT', 'CANCELLED'),
    (error: unknown) =>
      hasReason(error, 'SHIPPING_ILLEGAL_TRANSITION') && (error as Error).message.includes('DELIVERED, RETURNED, LOST'),
  );
});

test('a repeated move is no move', () => {
  assert.equal(mayMove('CANCELLED', 'CANCELLED'), false);
  assert.equal(mayMove('LABEL_CREATED', 'HANDED_OVER'), true);
});

test('abroad costs more and takes longer; three decimals keep the value', () => {
  const [home, abroad] = [quotes(1, false, 2)[0], quotes(1, true, 2)[0]];
  assert.ok(home && abroad && abroad.minorUnits > home.minorUnits && abroad.maxDays > home.maxDays);
  assert.equal(quotes(1, false, 3)[0]?.minorUnits, home.minorUnits * 10n);
});
