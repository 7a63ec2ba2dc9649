import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { constantTimeEqual, randomToken, sha256 } from './index.ts';

test('a hash is the standard one', () => {
  assert.equal(sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(sha256(Buffer.from('abc')), sha256('abc'));
});

test('a random token has at least 128 bits and is fit for URLs', () => {
  const random = seededRandom(1);
  assert.match(randomToken(random), /^[A-Za-z0-9_-]{43}$/);
  assert.equal(randomToken(random, 1).length, 22);
  assert.notEqual(randomToken(random), randomToken(random));
});

test('secrets are equal only when all of them is, whatever their length', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (left, right) =>
      assert.equal(constantTimeEqual(left, right), left === right),
    ),
  );
  assert.ok(constantTimeEqual('a', Buffer.from('a')));
});
