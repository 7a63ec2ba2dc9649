import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currencyExponent, isCurrency } from './index.ts';

test('the exponent is that of ISO 4217, where display habits differ', () => {
  const table = { EUR: 2, JPY: 0, KWD: 3, CLF: 4, UYW: 4, HUF: 2, IDR: 2, ISK: 0, UGX: 0, TND: 3, AFN: 2, MGA: 2 };
  for (const [code, exponent] of Object.entries(table)) assert.equal(currencyExponent(code), exponent, code);
});

test('every currency in use that the runtime knows has an exponent here', () => {
  // Precious metals, bond units, funds and codes for tests are not money that a shop takes; the others were withdrawn.
  const known = Intl.supportedValuesOf('currency').filter(isCurrency);
  assert.ok(known.length > 150, String(known.length));
});

test('what is no currency has no exponent', () => {
  for (const code of ['eur', 'XXX', 'XAU', '', 'EURO', 'constructor']) {
    assert.throws(() => currencyExponent(code), { reason: 'SCHEMA_UNKNOWN_CURRENCY' }, code);
  }
});
