import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import { createBreaker, resolveBreaker } from './index.ts';

/** Has failed, was probed once at 5000 and did well, and has a round of a second. */
function recovering() {
  const settings = resolveBreaker({
    consecutive: 1,
    openMs: 5000,
    openJitter: 0,
    halfOpenPermits: 5,
    halfOpenMaxWaitMs: 1000,
  });
  const breaker = createBreaker(settings, { random: seededRandom(1) });
  const end = (outcome: 'success' | 'failure', nowMs: number) => {
    const permit = breaker.tryAcquire(nowMs);
    assert.ok(permit);
    breaker.settle(permit, outcome, nowMs);
  };
  end('failure', 0);
  end('success', 5000);
  return { breaker, end };
}

test('a target that is seldom called is not kept open by the calls that do not come', () => {
  const { breaker } = recovering();
  assert.equal(breaker.peek(5000).state, 'HALF_OPEN');
  assert.ok(breaker.tryAcquire(60_000), 'the next call, a minute later, is let in');
  assert.equal(breaker.peek(60_000).state, 'CLOSED');
});

test('it is not believed to be well while one of its probes hangs, or when one went badly', () => {
  const hanging = recovering();
  assert.ok(hanging.breaker.tryAcquire(5000));
  const bad = recovering();
  bad.end('failure', 5000);
  for (const { breaker } of [hanging, bad]) {
    assert.equal(breaker.tryAcquire(6000), undefined);
    assert.equal(breaker.peek(6000).state, 'OPEN');
  }
});
