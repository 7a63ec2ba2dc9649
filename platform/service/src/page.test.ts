import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { decodePageToken, encodePageToken, pageSize } from './index.ts';

test('a page has the size asked for, 20 otherwise', () => {
  assert.deepEqual([pageSize(0), pageSize(7)], [20, 7]);
});

/** What a database can hold. */
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));

test('a key comes back as it was sealed', () => {
  fc.assert(
    fc.property(text, fc.array(text), (list, key) => {
      const token = encodePageToken(list, key);
      assert.match(token, /^[\w-]+$/);
      assert.deepEqual(decodePageToken(token, list, key.length), key);
    }),
  );
});

test('no token means the first page', () => assert.equal(decodePageToken('', 'orders', 2), undefined));

test('a token of another list, or with another number of parts, is refused', () => {
  const token = encodePageToken('orders', ['a', 'b']);
  for (const [list, length] of [
    ['users', 2],
    ['orders', 1],
    ['orders', 3],
  ] as const) {
    assert.throws(() => decodePageToken(token, list, length), { reason: 'SERVICE_PAGE_TOKEN_INVALID' });
  }
});

test('what no database takes is refused', () => {
  for (const part of ['a\0b', '\ud800']) {
    assert.throws(() => decodePageToken(encodePageToken('orders', [part]), 'orders', 1), {
      reason: 'SERVICE_PAGE_TOKEN_INVALID',
    });
  }
});

test('whatever a client makes up is refused or is text', () => {
  const forged = fc.oneof(
    fc.string(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.constantFrom('bnVsbA', Buffer.from('["orders",1]').toString('base64url')),
  );
  fc.assert(
    fc.property(forged, (token) => {
      try {
        const key = decodePageToken(token, 'orders', 1);
        assert.ok(key === undefined || key.every((part) => typeof part === 'string'));
      } catch (error) {
        assert.ok(hasReason(error, 'SERVICE_PAGE_TOKEN_INVALID'));
      }
    }),
  );
});
