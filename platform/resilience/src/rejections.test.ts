import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import { createBreaker, resolveBreaker } from './index.ts';
import { Rejections } from './rejections.ts';

test('whoever is refused while probes are under way is asked to come back soon, not when they must have ended', () => {
  const settings = resolveBreaker({ consecutive: 1, openMs: 5000, openJitter: 0, halfOpenPermits: 1 });
  const breaker = createBreaker(settings, { random: seededRandom(1) });
  const rejections = new Rejections('x', breaker);
  const afterMs = (nowMs: number) =>
    (rejections.error('breaker_open', 'breaker_open', nowMs).retry as { afterMs?: number }).afterMs;
  const first = breaker.tryAcquire(0);
  assert.ok(first);
  breaker.settle(first, 'failure', 0);
  assert.equal(afterMs(1000), 4000);
  assert.ok(breaker.tryAcquire(5000));
  assert.equal(breaker.retryAfterMs(5100), 9900);
  assert.equal(afterMs(5100), 1000);
});

test('whoever is refused because an operator wants it is asked to come back soon: the operator may let go before the end', () => {
  const breaker = createBreaker(resolveBreaker({}), { random: seededRandom(1) });
  breaker.isolate({ owner: 'ann', reason: 'to see', ttlMs: 600_000 }, 0);
  assert.equal(breaker.retryAfterMs(1000), 599_000);
  const error = new Rejections('x', breaker).error('breaker_open', 'breaker_open', 1000);
  assert.deepEqual(error.retry, { kind: 'later', afterMs: 10_000 });
});
