import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantileMs } from './status.ts';

test('the slowest of a hundred calls since the last look are told by the bound of their bucket', () => {
  const before = { '0.01': 1000, '0.1': 1000, '+Inf': 1000 };
  assert.equal(quantileMs(before, { '0.01': 1099, '0.1': 1100, '+Inf': 1100 }, 0.99), 10);
  assert.equal(quantileMs(before, { '0.01': 1098, '0.1': 1100, '+Inf': 1100 }, 0.99), 100);
  assert.equal(quantileMs(before, { '0.01': 1000, '0.1': 1000, '+Inf': 1001 }, 0.99), Number.POSITIVE_INFINITY);
  assert.equal(quantileMs(before, before, 0.99), undefined);
});
