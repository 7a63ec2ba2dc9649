import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromSqlState } from './errors.ts';

const cases: readonly (readonly [string, string, string])[] = [
  ['23505', 'STORE_UNIQUE_VIOLATION', 'never'],
  ['23514', 'STORE_CHECK_VIOLATION', 'never'],
  ['23P01', 'STORE_CHECK_VIOLATION', 'never'],
  ['23503', 'STORE_FOREIGN_KEY_VIOLATION', 'never'],
  ['40001', 'STORE_CONFLICT', 'later'],
  ['40P01', 'STORE_CONFLICT', 'later'],
  ['57014', 'STORE_CANCELED', 'never'],
  ['57P01', 'STORE_UNAVAILABLE', 'later'],
  ['53300', 'STORE_UNAVAILABLE', 'later'],
  ['53100', 'STORE_STORAGE_FULL', 'later'],
  ['08006', 'STORE_UNAVAILABLE', 'later'],
  ['28P01', 'STORE_ACCESS_DENIED', 'never'],
  ['42501', 'STORE_ACCESS_DENIED', 'never'],
  ['42P01', 'STORE_QUERY_FAILED', 'never'],
];

for (const [sqlState, reason, retry] of cases) {
  test(`${sqlState} is ${reason}, retry ${retry}`, () => {
    const error = fromSqlState({ sqlState, constraint: 'c' });
    assert.deepEqual([error.reason, error.retry.kind], [reason, retry]);
  });
}

test('the database giving up on time is not the caller giving up', () => {
  assert.equal(fromSqlState({ sqlState: '57014', timedOut: true }).code, 'deadline_exceeded');
  assert.equal(fromSqlState({ sqlState: '57014' }).code, 'canceled');
});

test('every state has a meaning', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9A-Z]{5}$/), (sqlState) => {
      assert.match(fromSqlState({ sqlState }).reason, /^STORE_/);
    }),
  );
});
