import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODES, isCode } from './code.ts';
import { defineErrors, fromUnknown, kernelErrors, unreachable } from './error-catalogue.ts';
import { hasReason, isRetryable, isSoukError } from './souk-error.ts';

const errors = defineErrors('ORDERS', {
  NOT_FOUND: { code: 'not_found', text: 'no order {id}' },
  BUSY: { code: 'unavailable', text: '{what} is busy, {what}!', retry: 'later', http: 529 },
});

test('an entry gives a reason, a code, and a text with its parameters', () => {
  const error = errors.NOT_FOUND({ id: 'ord_1' });
  assert.equal(error.reason, 'ORDERS_NOT_FOUND');
  assert.equal(error.code, 'not_found');
  assert.equal(error.message, 'no order ord_1');
  assert.deepEqual(error.retry, { kind: 'never' });
  assert.ok(error instanceof Error);
  assert.match(error.stack ?? '', /error-catalogue\.test/);
});

test('a wait before the retry, an HTTP status, violations, details and the cause are kept', () => {
  const cause = new Error('socket');
  const violations = [{ pointer: '/items', detail: 'too many' }];
  const error = errors.BUSY({ what: 'bus' }, { afterMs: 250, cause, violations, details: { limit: '3' } });
  assert.equal(error.message, 'bus is busy, bus!');
  assert.deepEqual(error.retry, { kind: 'later', afterMs: 250 });
  assert.equal(error.httpStatus, 529);
  assert.equal(error.cause, cause);
  assert.deepEqual(error.violations, violations);
  assert.deepEqual(error.details, { limit: '3' });
});

test('a parameter is text, never a pattern', () => {
  assert.equal(errors.NOT_FOUND({ id: '$& {id}' }).message, 'no order $& {id}');
});

test('our errors survive; anything else becomes internal with its cause, and its text stays inside', () => {
  const ours = errors.NOT_FOUND({ id: '1' });
  assert.equal(fromUnknown(ours), ours);
  const foreign = new Error('password is hunter2');
  const made = fromUnknown(foreign);
  assert.equal(made.reason, 'SOUK_INTERNAL');
  assert.equal(made.cause, foreign);
  assert.doesNotMatch(JSON.stringify(made) + made.message, /hunter2/);
  for (const odd of [undefined, null, 'text', 7, {}, Object.create(null)])
    assert.equal(fromUnknown(odd).code, 'internal');
});

test('an abort is canceled, a time-out a deadline', () => {
  assert.equal(fromUnknown(new DOMException('', 'AbortError')).code, 'canceled');
  assert.equal(fromUnknown(new DOMException('', 'TimeoutError')).code, 'deadline_exceeded');
});

test('errors are told apart by reason and by whether a retry can help', () => {
  assert.equal(hasReason(errors.BUSY({ what: 'x' }), 'ORDERS_BUSY'), true);
  assert.equal(hasReason(new Error('x'), 'ORDERS_BUSY'), false);
  assert.equal(isRetryable(errors.BUSY({ what: 'x' })), true);
  assert.equal(isRetryable(errors.NOT_FOUND({ id: 'x' })), false);
  assert.equal(isRetryable(kernelErrors.DEADLINE_EXCEEDED()), true);
});

test('an error of a second copy of this package is one of ours', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('souk.error')]: true, reason: 'X_Y', code: 'aborted' });
  assert.equal(isSoukError(foreign), true);
  assert.equal(fromUnknown(foreign), foreign as never);
});

test('a case that was forgotten is an internal error', () => {
  assert.throws(() => unreachable(5n as never), { reason: 'SOUK_UNREACHABLE' });
});

test('the codes are sixteen, and closed', () => {
  assert.equal(new Set(CODES).size, 16);
  assert.equal(isCode('not_found'), true);
  assert.equal(isCode('NOT_FOUND'), false);
  assert.equal(isCode(undefined), false);
});
