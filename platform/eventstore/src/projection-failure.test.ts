import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, fromUnknown } from '@souk/kernel';
import { describeFailure, isPermanent } from './projection-failure.ts';

const errors = defineErrors('TEST', {
  WRONG: { code: 'failed_precondition', text: 'it is wrong' },
  LATER: { code: 'unavailable', text: 'not now', retry: 'later' },
  GONE: { code: 'canceled', text: 'they left' },
});

test('what a repeat cannot help is permanent; a bad moment is not, whatever it says of itself', () => {
  assert.ok(isPermanent(errors.WRONG()));
  assert.ok(isPermanent(fromUnknown(new TypeError('x is not a function'))));
  assert.ok(!isPermanent(errors.LATER()));
  assert.ok(!isPermanent(errors.GONE()));
});

test('our own errors are quoted, foreign ones only with their kind and place', () => {
  assert.equal(describeFailure(errors.WRONG()), 'TEST_WRONG: it is wrong');
  const foreign = describeFailure(fromUnknown(new RangeError('ann@example.org lives here')));
  assert.match(foreign, /^RangeError at projection-failure\.test\.ts:\d+$/);
  assert.equal(describeFailure(fromUnknown('a text')), 'SOUK_INTERNAL: something went wrong on our side');
});
