import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { checkKey } from './key.ts';

for (const key of [
  'a',
  'config/app.json',
  'run.sh',
  'a b',
  'ключ',
  'a..b',
  '..a',
  'a../b',
  '...',
  'a%20b',
  '100%',
  'a/./b',
  'a//b',
]) {
  test(`${key} is a key`, () => {
    checkKey(key);
  });
}

const climbing = [
  '..',
  '../a',
  'a/../b',
  'a/..',
  'a\\..\\b',
  '%2e%2e%2f',
  'a/%2e%2e/b',
  'a/.%2E/b',
  'a%2f..%2fb',
  'a/%252e%252e/b',
  'a/%25252e%25252e%25252fb',
  '/a',
  'a\nb',
  'a\u0000b',
  'a%00b',
  'x'.repeat(2_049),
];
for (const key of climbing) {
  test(`${JSON.stringify(key).slice(0, 40)} is refused`, () => {
    assert.throws(
      () => checkKey(key),
      (error) => hasReason(error, 'REGISTRY_KV_BAD_KEY'),
    );
  });
}

test('however often a way up is encoded, it is refused', () => {
  fc.assert(
    fc.property(fc.nat({ max: 8 }), fc.constantFrom('..', '.%2e', '%2e%2e'), (times, dots) => {
      let key = `a/${dots}/b`;
      for (let round = 0; round < times; round += 1) key = encodeURIComponent(key);
      assert.throws(() => checkKey(key));
    }),
  );
});
