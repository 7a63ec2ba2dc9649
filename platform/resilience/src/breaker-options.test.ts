import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BreakerOptions, resolveBreaker } from './breaker-options.ts';

test('what is left out has its default, and settings cannot be changed', () => {
  const settings = resolveBreaker();
  assert.deepEqual(
    [settings.minCalls, settings.failureRate, settings.openMs, settings.openMaxMs],
    [20, 0.5, 5000, 60_000],
  );
  assert.deepEqual(settings.window, { buckets: 30, bucketMs: 1000 });
  assert.ok(Object.isFrozen(settings));
  assert.equal(resolveBreaker({ openMs: 90_000 }).openMaxMs, 90_000);
});

test('each option that makes no sense is refused by its name', () => {
  const bad: [option: string, options: unknown][] = [
    ['breaker.minCalls', { minCalls: 0 }],
    ['breaker.minCalls', { minCalls: 1.5 }],
    ['breaker.failureRate', { failureRate: 1.01 }],
    ['breaker.failureRate', { failureRate: '0.5' }],
    ['breaker.slowRate', { slowRate: -0.1 }],
    ['breaker.slowMs', { slowMs: Number.NaN }],
    ['breaker.consecutive', { consecutive: -1 }],
    ['breaker.openMs', { openMs: -1 }],
    ['breaker.openFactor', { openFactor: 0.9 }],
    ['breaker.openMaxMs', { openMs: 10, openMaxMs: 9 }],
    ['breaker.openJitter', { openJitter: 2 }],
    ['breaker.halfOpenPermits', { halfOpenPermits: 0 }],
    ['breaker.probeTimeoutMs', { probeTimeoutMs: 0 }],
    ['breaker.halfOpenMaxWaitMs', { halfOpenMaxWaitMs: 0 }],
    ['breaker.onHalfOpenTimeout', { onHalfOpenTimeout: 'shut' }],
    ['breaker.rampMs', { rampMs: -1 }],
    ['breaker.window.count', { window: { count: 0 } }],
    ['breaker.window.buckets', { window: {} }],
    ['breaker.window.buckets', { window: { buckets: 3601, bucketMs: 1000 } }],
    ['breaker.window.bucketMs', { window: { buckets: 30, bucketMs: 0 } }],
    ['breaker.window', { window: { count: 10, buckets: 30, bucketMs: 1000 } }],
  ];
  for (const [option, options] of bad)
    assert.throws(
      () => resolveBreaker(options as BreakerOptions),
      (error: Error & { reason?: string }) =>
        error.reason === 'RESILIENCE_BAD_OPTION' && error.message.startsWith(`${option}: want `),
      `${option} ${JSON.stringify(options)}`,
    );
});
