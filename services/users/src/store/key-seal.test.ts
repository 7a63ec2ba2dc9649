import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, virtualRuntime } from '@souk/kernel';
import { createKeySeal } from './key-seal.ts';

const { random } = virtualRuntime();
const seal = createKeySeal('a secret of thirty-two characters', random);
const isSealed = (error: unknown) => hasReason(error, 'USERS_SIGNING_KEY_SEALED');

test('what is sealed shows nothing and opens with the same secret and id', () => {
  const stored = seal.seal('key_1', 'private');
  assert.ok(!stored.includes('private') && !Buffer.from(stored, 'base64url').includes('private'));
  assert.equal(seal.open('key_1', stored), 'private');
  assert.notEqual(seal.seal('key_1', 'private'), stored);
});

test('another secret, another id, a changed text and no secret open nothing', () => {
  const stored = seal.seal('key_1', 'private');
  assert.throws(() => createKeySeal('another secret of many characters', random).open('key_1', stored), isSealed);
  assert.throws(() => createKeySeal(undefined, random).open('key_1', stored), isSealed);
  assert.throws(() => seal.open('key_2', stored), isSealed);
  assert.throws(() => seal.open('key_1', `${stored.slice(0, -3)}AAA`), isSealed);
});

test('without a secret a key is kept as it is, and can still be read once there is one', () => {
  const stored = createKeySeal(undefined, random).seal('key_1', 'private');
  assert.equal(stored, 'private');
  assert.equal(seal.open('key_1', stored), 'private');
});
