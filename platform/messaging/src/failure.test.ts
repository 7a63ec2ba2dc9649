import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, fromUnknown, kernelErrors, seededRandom } from '@souk/kernel';
import { afterDelayedFailure, afterFirstFailures, isPermanent, RETRY_DELAYS_MS } from './failure.ts';

const errors = defineErrors('T', {
  WRONG: { code: 'failed_precondition', text: 'wrong' },
  BUSY: { code: 'unavailable', text: 'busy', retry: 'later' },
});
const random = seededRandom(1);

test('an error that says never is permanent, unless only the moment was bad', () => {
  assert.ok(isPermanent(errors.WRONG()));
  assert.ok(isPermanent(fromUnknown(new TypeError('a bug'))));
  assert.ok(!isPermanent(errors.BUSY()));
  assert.ok(!isPermanent(kernelErrors.CANCELED()));
  assert.ok(!isPermanent(kernelErrors.DEADLINE_EXCEEDED()));
});

test('a retryable failure is tried once more in place, then put aside', () => {
  const first = afterFirstFailures(errors.BUSY(), 1, random);
  assert.ok(first.is === 'again' && first.afterMs >= 50 && first.afterMs <= 200);
  const second = afterFirstFailures(errors.BUSY(), 2, random);
  assert.ok(second.is === 'later' && second.afterMs >= 4000 && second.afterMs <= 6000);
  assert.equal(afterFirstFailures(errors.WRONG(), 1, random).is, 'dead');
});

test('the wait that a server asks for wins, and from the first delayed attempt on only a longer one', () => {
  assert.deepEqual(afterFirstFailures(errors.BUSY({}, { afterMs: 90_000 }), 1, random), {
    is: 'later',
    afterMs: 90_000,
  });
  const longer = errors.BUSY({}, { afterMs: 900_000 });
  assert.deepEqual(afterDelayedFailure(longer, 3, random), { is: 'later', afterMs: 900_000 });
  // Otherwise a breaker that is open for an hour, a second at a time, would make it a dead letter within seconds.
  const verdict = afterDelayedFailure(errors.BUSY({}, { afterMs: 1234 }), 3, random);
  assert.ok(verdict.is === 'later' && verdict.afterMs >= 480_000);
});

test('the sixth delayed failure is the last', () => {
  for (let attempts = 1; attempts < RETRY_DELAYS_MS.length; attempts++) {
    const verdict = afterDelayedFailure(errors.BUSY(), attempts, random);
    const step = RETRY_DELAYS_MS[attempts] as number;
    assert.ok(verdict.is === 'later' && verdict.afterMs >= step * 0.8 && verdict.afterMs <= step * 1.2);
  }
  assert.equal(afterDelayedFailure(errors.BUSY(), 6, random).is, 'dead');
  assert.equal(afterDelayedFailure(errors.WRONG(), 1, random).is, 'dead');
});
