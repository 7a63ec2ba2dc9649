import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { ReferenceBreaker, type ReferencePermit } from '../test/reference-breaker.ts';
import { type BreakerPermit, type BreakerTransition, createBreaker, type Outcome, resolveBreaker } from './index.ts';

const outcome = fc.constantFrom<Outcome>(
  'success',
  'failure',
  'failure',
  'cancelled',
  'throttled',
  'ignored',
  'rejected',
);
const calls = [
  { weight: 8, arbitrary: fc.record({ is: fc.constant('start' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({ is: fc.constant('settle' as const), which: fc.nat(7), outcome, twice: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 3000, max: 12_000 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.constantFrom(5000, 40_000, 90_000) }) },
] as const;
const commands = [
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constantFrom('isolate' as const, 'force' as const, 'release' as const, 'release' as const),
      owner: fc.constantFrom('ada', 'bob'),
      ttlMs: fc.integer({ min: 1, max: 10_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('reset' as const) }) },
] as const;
// The largest size: scripts of ten steps, which it would make by itself, hardly ever come as far as a second round of probes.
const script = fc.oneof(
  fc.array(fc.oneof(...calls), { maxLength: 150, size: 'max' }),
  fc.array(fc.oneof(...calls, ...commands), { maxLength: 150, size: 'max' }),
);

const ALLOWED = new Set([
  ...['CLOSED OPEN', 'OPEN HALF_OPEN', 'OPEN CLOSED', 'HALF_OPEN OPEN', 'HALF_OPEN CLOSED'],
  ...['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_CLOSED'].map((state) => `${state} FORCED_OPEN`),
  ...['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN'].map((state) => `${state} FORCED_CLOSED`),
  ...['FORCED_OPEN OPEN', 'FORCED_OPEN CLOSED', 'FORCED_CLOSED CLOSED'],
]);

test('I1 to I9: whatever happens in whatever order, it does as the plain automaton does', () => {
  const options = fc.record({
    minCalls: fc.integer({ min: 1, max: 6 }),
    failureRate: fc.constantFrom(0.3, 0.5, 0.7, 1),
    slowRate: fc.constantFrom(0.5, 1),
    slowMs: fc.constantFrom(500, 1500),
    consecutive: fc.constantFrom(0, 3),
    halfOpenPermits: fc.integer({ min: 1, max: 4 }),
    buckets: fc.constantFrom(1, 5, 30),
  });
  fc.assert(
    fc.property(options, script, ({ buckets, ...given }, steps) => {
      const settings = resolveBreaker({
        ...given,
        window: { buckets, bucketMs: 1000 },
        ...{ openMs: 5000, openMaxMs: 20_000, openJitter: 0, probeTimeoutMs: 4000, halfOpenMaxWaitMs: 7000, rampMs: 0 },
      });
      const transitions: BreakerTransition[] = [];
      const breaker = createBreaker(settings, {
        random: seededRandom(1),
        onTransition: (change) => transitions.push(change),
      });
      const model = new ReferenceBreaker({
        ...settings,
        ...{ windowMs: buckets * 1000, bucketMs: 1000, permits: settings.halfOpenPermits, roundMs: 7000 },
      });
      const open: { real: BreakerPermit; ideal: ReferencePermit }[] = [];
      let nowMs = 0;
      for (const one of steps) {
        if (one.is === 'wait') nowMs += one.ms;
        else if (one.is === 'start') {
          for (let n = 0; n < one.count; n++) {
            const asked = JSON.stringify([breaker.peek(nowMs), breaker.retryAfterMs(nowMs), breaker.snapshot(nowMs)]);
            assert.equal(
              JSON.stringify([breaker.peek(nowMs), breaker.retryAfterMs(nowMs), breaker.snapshot(nowMs)]),
              asked,
            );
            breaker.peek(nowMs + 1e9);
            breaker.retryAfterMs(nowMs + 1e9);
            const mayEnter = breaker.retryAfterMs(nowMs) === 0;
            const { state } = breaker.peek(nowMs);
            const real = breaker.tryAcquire(nowMs);
            const ideal = model.acquire(nowMs);
            assert.equal(real !== undefined, ideal !== undefined, `start at ${nowMs}`);
            if (state !== 'HALF_OPEN') assert.equal(real !== undefined, mayEnter, `${state} at ${nowMs}`);
            if (real === undefined || ideal === undefined) continue;
            assert.equal(real.probe, ideal.probe);
            open.push({ real, ideal });
          }
        } else if (one.is === 'isolate' || one.is === 'force') {
          const by = { owner: one.owner, reason: 'test', ttlMs: one.ttlMs };
          if (one.is === 'isolate') breaker.isolate(by, nowMs);
          else breaker.forceClosed(by, nowMs);
          const wants = one.is === 'isolate' ? ('FORCED_OPEN' as const) : ('FORCED_CLOSED' as const);
          model.hold({ owner: one.owner, wants, untilMs: nowMs + one.ttlMs }, nowMs);
        } else if (one.is === 'release') {
          breaker.release(one.owner, nowMs);
          model.release(one.owner, nowMs);
        } else if (one.is === 'reset') {
          breaker.reset(nowMs);
          model.reset(nowMs);
        } else if (one.is === 'settle' && open.length > 0) {
          // Rather one of those that began last: the others are mostly of another generation.
          const at = open.length - 1 - (one.which % open.length);
          const permit = open[at] as (typeof open)[number];
          breaker.settle(permit.real, one.outcome, nowMs);
          model.settle(permit.ideal, one.outcome, nowMs);
          if (!one.twice) open.splice(at, 1);
        }
        assert.equal(breaker.peek(nowMs).state, model.shown(nowMs), `${JSON.stringify(one)} at ${nowMs}`);
        assert.equal(breaker.peek(nowMs).generation, model.era);
      }
      let state = 'CLOSED';
      for (const { from, to, reason } of transitions) {
        assert.equal(from, state);
        if (reason.endsWith('(not enforced)')) continue;
        assert.ok(ALLOWED.has(`${from} ${to}`), `${from} ${to}`);
        state = to;
      }
    }),
    { numRuns: 300 },
  );
});
