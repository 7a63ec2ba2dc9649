import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyWorld } from '../test/world.ts';

test('another algorithm of a rate is used from the change on', () => {
  const world = policyWorld({ rateLimit: { limit: 2 } });
  const take = (count: number) => Array.from({ length: count }, () => world.policy.try(() => 1));
  void take(2);
  world.policy.configure({ rateLimit: { limit: 3, algorithm: 'sliding_window' } });
  void take(5);
  assert.equal(world.policy.stats.attempts, 5);
});

test('a configuration that names what there is not is refused by name, and the nearest name is told', () => {
  const refused = (config: object) => {
    try {
      policyWorld(config);
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };
  assert.match(
    refused({ retrys: {} }),
    /^retrys: want an option that exists \(retry, if that was meant; there are: mode/,
  );
  assert.match(refused({ mode: 'off', bulkhed: {} }), /bulkhed.*bulkhead, if/);
  assert.match(refused({ breaker: { minCals: 3 } }), /^breaker\.minCals: .*minCalls, if/);
  assert.match(refused({ retry: { backoff: { base: 3 } } }), /^retry\.backoff\.base: .*baseMs, if/);
  assert.match(refused({ retry: { budget: { quota: 1 } } }), /^retry\.budget\.quota: .*ratio, minPerSec/);
  assert.match(refused({ shed: { limit: { maximum: 3 } } }), /^shed\.limit\.maximum/);
  assert.match(refused({ dynamic: { timeout: { min: 3 } } }), /^dynamic\.timeout\.min: .*minMs, if/);
  assert.match(refused({ timeout: { millis: 3 } }), /^timeout\.millis/);
  assert.match(refused({ bulkhead: 4 }), /^bulkhead: want an object of options, got 4/);
  assert.equal(refused({ retry: { budget: false }, timeout: 4, bulkhead: undefined }), 'accepted');
});

test('a value that is none is refused with what was given and what is wanted', () => {
  for (const [config, problem] of [
    [{ timeout: 'soon' }, 'timeout: want a number of at least 1, got soon'],
    [{ timeout: true }, 'timeout: want a number of at least 1, got true'],
    [{ timeout: [5] }, 'timeout: want a number of at least 1, got [5]'],
    [{ timeout: { ms: 'soon' } }, 'timeout.ms: want a number of at least 1, got soon'],
    [{ timeout: { mode: 'race' } }, 'timeout.ms: want a number of at least 1, got nothing'],
    [{ timeout: { ms: { s: 5 } } }, 'timeout.ms: want a number of at least 1, got {"s":5}'],
    [{ retry: { budget: 'off' } }, 'retry.budget: want false, or an object of options, got off'],
    [{ retry: { budget: [] } }, 'retry.budget: want false, or an object of options, got []'],
    [{ deadlineMs: '5' }, 'deadlineMs: want a number of at least 0, got 5'],
  ] as const)
    assert.throws(() => policyWorld(config as object), { message: problem });
});

test('a choice that there is not is refused with those that there are', () => {
  for (const [config, option] of [
    [{ mode: 'of' }, 'mode'],
    [{ timeout: { ms: 5, mode: 'rase' } }, 'timeout.mode'],
    [{ bulkhead: { limit: 1, order: 'lifoo' } }, 'bulkhead.order'],
    [{ rateLimit: { limit: 1, algorithm: 'nope' } }, 'rateLimit.algorithm'],
    [{ retry: { backoff: { jitter: 'ful' } } }, 'backoff.jitter'],
    [{ retry: { backoff: { growth: 'fast' } } }, 'backoff.growth'],
    [{ breaker: { onHalfOpenTimeout: 'shut' } }, 'breaker.onHalfOpenTimeout'],
    [{ shed: { limit: { algorithm: 'vega' } } }, 'limit.algorithm'],
  ] as const)
    assert.throws(() => policyWorld(config as object), { message: new RegExp(`^${option}: want one of `) }, option);
  const on = ['failed'] as unknown as ['failure'];
  assert.throws(() => policyWorld({}, { fallback: { value: 1, on } }), { message: /^fallback.on: want one of / });
});
