import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPageTokens, type PagePosition } from './index.ts';

const tokens = createPageTokens('secret');
const invalid = { reason: 'PAGE_TOKEN_INVALID', code: 'invalid_argument' };
const filter = { list: 'orders', user: 'usr_1', status: 'PLACED' };

test('a position comes back as it was sealed', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noNegativeZero: true } as never), (value) => {
      const position = JSON.parse(JSON.stringify(value)) as PagePosition;
      assert.deepEqual(tokens.open(tokens.seal(position, filter), filter), position);
    }),
  );
});

test('a token is good for its own list only, however the filter is spelled', () => {
  const token = tokens.seal(['2026', 'ord_1'], filter);
  assert.deepEqual(tokens.open(token, { status: 'PLACED', user: 'usr_1', list: 'orders', cursor: undefined }), [
    '2026',
    'ord_1',
  ]);
  for (const other of [{ ...filter, user: 'usr_2' }, { ...filter, sort: 'x' }, {}, null, undefined]) {
    assert.throws(() => tokens.open(token, other), invalid);
  }
});

test('a token under another secret is refused', () => {
  assert.throws(() => createPageTokens('other').open(tokens.seal(1, filter), filter), invalid);
});

test('a token with any bit changed is refused', () => {
  const token = tokens.seal(['a', 1], filter);
  const bytes = Buffer.from(token, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7));
    assert.throws(() => tokens.open(changed.toString('base64url'), filter), invalid, String(bit));
  }
});

test('text that is no token is refused', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => tokens.open(text, filter), invalid)));
  assert.throws(() => tokens.open('A'.repeat(100_000), filter), invalid);
  assert.throws(() => tokens.open(`${tokens.seal(1, filter)}=`, filter), invalid);
});
