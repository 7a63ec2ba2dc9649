import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLogValues } from './log-value.ts';
import { createKeyGuard, REDACTED, scrub } from './redaction.ts';

test('sensitive keys are found in every spelling, harmless ones are left alone', () => {
  const isSensitive = createKeyGuard();
  const sensitive = [
    'password',
    'newPassword',
    'access_token',
    'Authorization',
    'set-cookie',
    'clientSecret',
    'card-number',
  ];
  sensitive.push(
    'cardNumber',
    'cvc',
    'email',
    'user.email',
    'E-Mail',
    'phoneNumber',
    'API_KEY',
    'shippingAddress',
    'lastName',
  );
  for (const key of sensitive) assert.equal(isSensitive(key), true, key);
  for (const key of ['orderId', 'route', 'status', 'durationMs', 'name', 'host', 'currency', 'key', 'address']) {
    assert.equal(isSensitive(key), false, key);
  }
  assert.equal(isSensitive('password'), true, 'also when it is remembered');
});

test('a sensitive value is gone however deep it lies', () => {
  const values = createLogValues();
  const key = fc.constantFrom(
    'password',
    'accessToken',
    'authorization',
    'cookie',
    'client_secret',
    'cardNumber',
    'email',
  );
  const path = fc.array(fc.constantFrom('a', 'b', 'list'), { maxLength: 8 });
  fc.assert(
    fc.property(key, path, (name, steps) => {
      const deep = steps.reduceRight<unknown>((inner, step) => (step === 'list' ? [inner] : { [step]: inner }), {
        [name]: { value: 'hunter2' },
      });
      assert.doesNotMatch(JSON.stringify(values.fields({ deep })), /hunter2/);
    }),
  );
  assert.deepEqual(values.fields({ password: 'x', ok: 1 }), { password: REDACTED, ok: 1 });
});

test('texts lose what looks personal or secret', () => {
  const texts = {
    'mail to eve.a+b@mail.example.org failed': /eve|example/,
    'postgres://orders:hunter2@db:5432/orders': /hunter2/,
    'Authorization: Bearer abcdefgh12345678': /abcdefgh/,
    'token eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln': /eyJ/,
    'card 4242 4242 4242 4242 declined': /4242/,
    'card 378282246310005': /3782/,
  };
  for (const [text, secret] of Object.entries(texts)) assert.doesNotMatch(scrub(text), secret, text);
});

test('texts keep ids, times, numbers and plain addresses', () => {
  const kept = ['ord_01980000-0000-7000-8000-000000000000', '2026-01-01T00:00:00.000Z', 'http://localhost:8080/x?y=1'];
  kept.push(
    '1795227946631446500',
    'at file:///a/node_modules/@souk/kernel/src/x.ts:1:2',
    '4242424242424241',
    'basic rule',
  );
  for (const text of kept) assert.equal(scrub(text), text);
});

test('no text makes the scrubber slow: repeated characters cost little', () => {
  const started = performance.now();
  for (const one of ['a.', '@', 'a@', '4', 'bearer ', '://']) scrub(one.repeat(20_000));
  assert.ok(performance.now() - started < 2000);
});
