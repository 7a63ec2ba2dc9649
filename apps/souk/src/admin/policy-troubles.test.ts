import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyView } from '@souk/resilience';
import { troublesOf } from './policy-troubles.ts';

type Breaker = NonNullable<PolicyView['breaker']>;

const breaker = (more: Partial<Breaker> = {}): Breaker => ({
  ...{
    state: 'CLOSED',
    eligible: false,
    generation: 1,
    calls: 30,
    failureRate: 0,
    slowRate: 0,
    openForMs: 0,
    sinceMs: 0,
  },
  ...{ lastCause: undefined, overrides: [], advised: false, late: 0, doubleReleases: 0, wouldOpen: 0 },
  ...more,
});
const gate = (more: object = {}) => ({
  ...{ limit: 10, active: 0, queued: 0, zombies: 0, overloaded: false, doubleReleases: 0 },
  ...more,
});
const view = (more: Partial<PolicyView>): PolicyView => ({
  ...{ name: 'a', kind: 'call', config: {}, breaker: breaker(), bulkhead: gate(), shed: undefined },
  ...{ throttled: 0, retryBudget: 10, latency: undefined, counts: {} },
  ...more,
});

test('a policy at work, or one that was never called, has no troubles', () => {
  assert.deepEqual(troublesOf(view({ bulkhead: gate({ active: 10 }) })), []);
  const unused = { breaker: undefined, bulkhead: undefined, throttled: undefined, retryBudget: undefined };
  assert.deepEqual(troublesOf(view(unused)), []);
  assert.deepEqual(troublesOf(view({ breaker: breaker({ failureRate: undefined, slowRate: undefined }) })), []);
});

test('each thing that is not well is said', () => {
  const shed = { limit: 10, latencyMs: 1, baselineMs: 1, share: 0.25, shed: [] };
  const cases: [Partial<PolicyView>, string][] = [
    [{ breaker: breaker({ state: 'HALF_OPEN' }) }, 'breaker HALF_OPEN'],
    [{ breaker: breaker({ state: 'OPEN', eligible: true }) }, 'breaker OPEN, to be tried'],
    [{ breaker: breaker({ state: 'FORCED_CLOSED' }) }, 'breaker FORCED_CLOSED'],
    [{ breaker: breaker({ failureRate: 0.1 }) }, '10 % fail'],
    [{ breaker: breaker({ slowRate: 0.5 }) }, '50 % are slow'],
    [{ breaker: breaker({ advised: true }) }, 'others advise care'],
    [{ bulkhead: gate({ active: 10, queued: 3 }) }, 'full, 3 wait'],
    [{ bulkhead: gate({ zombies: 3 }) }, '3 slots without a caller'],
    [{ bulkhead: undefined, shed: { ...shed, gate: gate() } }, 'sheds 25 %'],
    [{ bulkhead: undefined, shed: { ...shed, share: 0, gate: gate({ overloaded: true }) } }, 'overloaded'],
    [{ throttled: 0.34 }, 'throttles 34 %'],
    [{ retryBudget: 0 }, 'no retries left'],
    [{ config: { mode: 'shadow' } }, 'mode shadow'],
  ];
  for (const [more, trouble] of cases) assert.deepEqual(troublesOf(view(more)), [trouble]);
});
