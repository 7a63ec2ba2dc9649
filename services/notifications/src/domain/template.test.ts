import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { moneyText } from './money-text.ts';
import { render } from './template.ts';

test('a template speaks the language of the reader, and English otherwise', () => {
  assert.equal(render('welcome', 'de-AT', {}).subject, 'Willkommen bei souk');
  assert.equal(render('welcome', 'fr', {}).subject, 'Welcome to souk');
  assert.equal(render('welcome', '', { displayName: 'Ada' }).body.split('\n')[0], 'Hello Ada,');
});

test('values are filled in as they are, braces included', () => {
  fc.assert(
    fc.property(fc.string(), (orderId) => {
      assert.ok(render('order-shipped', 'en', { orderId }).body.includes(`your order ${orderId} has left`));
    }),
  );
});

test('an unknown template names those there are, also when it is called like a built-in', () => {
  for (const name of ['nope', 'constructor', '__proto__']) {
    assert.throws(
      () => render(name, 'en', {}),
      (error: unknown) => hasReason(error, 'NOTIFICATIONS_TEMPLATE_UNKNOWN') && /order-confirmed/.test(String(error)),
    );
  }
});

test('money is written with the decimals of its currency', () => {
  assert.equal(moneyText('EUR', '1999', 2), 'EUR 19.99');
  assert.equal(moneyText('EUR', '5', 2), 'EUR 0.05');
  assert.equal(moneyText('JPY', '1999', 0), 'JPY 1999');
  assert.equal(moneyText('KWD', '-1999', 3), 'KWD -1.999');
});
