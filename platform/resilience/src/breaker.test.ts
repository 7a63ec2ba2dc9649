import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, seededRandom } from '@souk/kernel';
import {
  type Breaker,
  type BreakerOptions,
  type BreakerPermit,
  type BreakerTransition,
  createBreaker,
  resolveBreaker,
} from './index.ts';

const errors = defineErrors('TEST', { DOWN: { code: 'unavailable', text: 'down', retry: 'later' } });
const STEADY = { openJitter: 0, rampMs: 0 } as const;
const operator = { owner: 'ada', reason: 'looks bad', ttlMs: 60_000 };

function world(options: BreakerOptions = {}) {
  const changes: BreakerTransition[] = [];
  const breaker = createBreaker(resolveBreaker({ ...STEADY, ...options }), {
    random: seededRandom(1),
    onTransition: (change) => changes.push(change),
  });
  return { breaker, changes };
}

const start = (breaker: Breaker, nowMs: number): BreakerPermit => {
  const permit = breaker.tryAcquire(nowMs);
  assert.ok(permit, 'was refused');
  return permit;
};

const fail = (breaker: Breaker, nowMs: number, times = 1, error?: unknown): void => {
  for (let n = 0; n < times; n++) breaker.settle(start(breaker, nowMs), 'failure', nowMs, error);
};

test('I3 of a hundred calls at once as many probe as there are permits, and the others are refused at once', () => {
  const { breaker } = world({ consecutive: 1, halfOpenPermits: 3 });
  fail(breaker, 0);
  const let_in = Array.from({ length: 100 }, () => breaker.tryAcquire(5000)).filter((one) => one !== undefined);
  assert.equal(let_in.length, 3);
  assert.ok(let_in.every(({ probe }) => probe));
});

test('I4 a probe that was cancelled, throttled, ignored or refused gives its permit back, and judges nothing', () => {
  const { breaker } = world({ consecutive: 1, halfOpenPermits: 1 });
  fail(breaker, 0);
  for (const outcome of ['cancelled', 'throttled', 'ignored', 'rejected'] as const) {
    breaker.settle(start(breaker, 5000), outcome, 5000);
    assert.equal(breaker.peek(5000).state, 'HALF_OPEN', outcome);
  }
  breaker.settle(start(breaker, 5000), 'success', 5000);
  assert.equal(breaker.peek(5000).state, 'CLOSED');
});

test('I4 half open ends by its deadline when a probe hangs, and the probe’s late answer changes nothing', () => {
  const { breaker, changes } = world({ consecutive: 1, halfOpenPermits: 1, probeTimeoutMs: 8000 });
  fail(breaker, 0);
  const hung = start(breaker, 5000);
  assert.equal(breaker.tryAcquire(12_999), undefined);
  assert.equal(breaker.tryAcquire(13_000), undefined);
  assert.equal(breaker.peek(13_000).state, 'OPEN');
  breaker.settle(hung, 'success', 14_000);
  assert.equal(breaker.peek(14_000).state, 'OPEN');
  assert.deepEqual([breaker.peek(14_000).late, breaker.peek(14_000).doubleReleases], [1, 0]);
  assert.deepEqual(
    changes.map(({ to }) => to),
    ['OPEN', 'HALF_OPEN', 'OPEN'],
  );
});

test('I4 a round without verdict becomes what was asked for', () => {
  for (const onHalfOpenTimeout of ['open', 'closed'] as const) {
    const { breaker } = world({ consecutive: 1, halfOpenMaxWaitMs: 1000, onHalfOpenTimeout });
    fail(breaker, 0);
    start(breaker, 5000);
    breaker.tryAcquire(6000);
    assert.equal(breaker.peek(6000).state, onHalfOpenTimeout.toUpperCase());
  }
});

test('I1 a call that began while it was closed flips nothing when it ends while half open, whatever it brings', () => {
  for (const outcome of ['success', 'failure'] as const) {
    const { breaker } = world({ consecutive: 1, halfOpenPermits: 2 });
    const old = [start(breaker, 0), start(breaker, 0)];
    fail(breaker, 0);
    start(breaker, 5000);
    for (const permit of old) breaker.settle(permit, outcome, 5100);
    assert.equal(breaker.peek(5100).state, 'HALF_OPEN');
    assert.equal(breaker.peek(5100).late, 2);
  }
});

test('I2 two probes that end together make one change', () => {
  const { breaker, changes } = world({ consecutive: 1, halfOpenPermits: 2, failureRate: 0.5 });
  fail(breaker, 0);
  const [one, two] = [start(breaker, 5000), start(breaker, 5000)];
  breaker.settle(one, 'failure', 5001);
  breaker.settle(two, 'failure', 5001);
  assert.deepEqual(
    changes.map(({ from, to }) => `${from} ${to}`),
    ['CLOSED OPEN', 'OPEN HALF_OPEN', 'HALF_OPEN OPEN'],
  );
});

test('a permit that is given back twice counts once, and is noticed', () => {
  const { breaker } = world({ minCalls: 3, failureRate: 1 });
  const permit = start(breaker, 0);
  for (let n = 0; n < 5; n++) breaker.settle(permit, 'failure', 0);
  assert.deepEqual([breaker.peek(0).calls, breaker.peek(0).doubleReleases], [1, 4]);
});

test('after ten silent minutes the window is empty, not one bucket shorter', () => {
  const { breaker } = world({ minCalls: 2, failureRate: 0.5 });
  fail(breaker, 0, 1);
  assert.equal(breaker.peek(600_000).calls, 0);
  breaker.settle(start(breaker, 600_000), 'failure', 600_000);
  assert.equal(breaker.peek(600_000).state, 'CLOSED');
});

test('below the least number of calls there is no rate, and a row opens where it was asked for', () => {
  const { breaker } = world({ minCalls: 20 });
  fail(breaker, 0, 19);
  assert.deepEqual([breaker.peek(0).state, breaker.peek(0).failureRate], ['CLOSED', undefined]);
  fail(breaker, 0);
  assert.equal(breaker.peek(0).state, 'OPEN');
  const rare = world({ minCalls: 20, consecutive: 5 }).breaker;
  fail(rare, 0, 5);
  assert.equal(rare.peek(0).state, 'OPEN');
});

test('a count window holds the last calls and no others', () => {
  const { breaker } = world({ window: { count: 100 }, minCalls: 100, failureRate: 0.5 });
  fail(breaker, 0, 49);
  for (let n = 0; n < 100; n++) breaker.settle(start(breaker, n), 'success', n);
  assert.deepEqual([breaker.peek(100).calls, breaker.peek(100).failureRate], [100, 0]);
  fail(breaker, 100, 50);
  assert.equal(breaker.peek(100).state, 'OPEN');
});

test('slow calls open it, also those that fail', () => {
  const { breaker } = world({ minCalls: 4, failureRate: 1, slowMs: 100, slowRate: 0.5 });
  for (const [atMs, outcome, tookMs] of [
    [0, 'success', 10],
    [1000, 'success', 100],
    [2000, 'success', 99],
    [3000, 'failure', 250],
  ] as const)
    breaker.settle(start(breaker, atMs), outcome, atMs + tookMs);
  assert.equal(breaker.peek(4000).state, 'OPEN');
});

test('I6 the end of OPEN is fixed when it opens: late failures and questions do not move it', () => {
  const { breaker } = world({ consecutive: 1 });
  const late = [start(breaker, 0), start(breaker, 0)];
  fail(breaker, 0);
  for (const permit of late) breaker.settle(permit, 'failure', 3000);
  for (let at = 0; at < 5000; at += 100) breaker.peek(at);
  assert.equal(breaker.retryAfterMs(3000), 2000);
});

test('I6 every round that fails doubles the wait up to its limit; one window of calm begins anew', () => {
  const { breaker } = world({ consecutive: 1, halfOpenPermits: 1, openMaxMs: 15_000 });
  const waits: number[] = [];
  let nowMs = 0;
  for (let n = 0; n < 4; n++) {
    fail(breaker, nowMs);
    waits.push(breaker.retryAfterMs(nowMs));
    nowMs += breaker.retryAfterMs(nowMs);
  }
  assert.deepEqual(waits, [5000, 10_000, 15_000, 15_000]);
  breaker.settle(start(breaker, nowMs), 'success', nowMs);
  fail(breaker, nowMs + 1000);
  assert.equal(breaker.retryAfterMs(nowMs + 1000), 15_000, 'a moment of calm is not yet recovery');
  nowMs += 16_000;
  breaker.settle(start(breaker, nowMs), 'success', nowMs);
  fail(breaker, nowMs + 30_000);
  assert.equal(breaker.retryAfterMs(nowMs + 30_000), 5000);
});

test('the time that the failing side asked for is waited', () => {
  const { breaker } = world({ consecutive: 1 });
  fail(breaker, 0, 1, errors.DOWN({}, { afterMs: 20_000 }));
  assert.equal(breaker.retryAfterMs(0), 20_000);
});

test('I7 to ask takes no permit and makes no transition', () => {
  const { breaker, changes } = world({ consecutive: 1, halfOpenPermits: 1 });
  fail(breaker, 0);
  for (let n = 0; n < 100; n++) {
    breaker.peek(6000);
    breaker.retryAfterMs(6000);
    breaker.snapshot(6000);
  }
  assert.deepEqual([breaker.peek(6000).state, breaker.peek(6000).eligible, changes.length], ['OPEN', true, 1]);
  start(breaker, 6000);
});

test('when it closes after a crowd has waited, the crowd is let in little by little, and who is alone at once', () => {
  const { breaker } = world({ consecutive: 1, halfOpenPermits: 1, rampMs: 10_000 });
  fail(breaker, 0);
  breaker.settle(start(breaker, 5000), 'success', 5000);
  const letIn = (nowMs: number): number => {
    const permits = Array.from({ length: 1000 }, () => breaker.tryAcquire(nowMs)).filter((one) => one !== undefined);
    for (const permit of permits) breaker.settle(permit, 'success', nowMs);
    return permits.length;
  };
  const [begin, middle, end] = [letIn(5000), letIn(10_000), letIn(15_000)];
  assert.ok(begin > 60 && begin < 150, `${begin}`);
  assert.ok(middle > 450 && middle < 650, `${middle}`);
  assert.equal(end, 1000);
  for (let n = 0; n < 100; n++) breaker.settle(start(breaker, 5001), 'success', 5001);
});

test('who isolates says why and for how long; another owner’s release does not end it, and time does', () => {
  const { breaker } = world();
  breaker.isolate(operator, 0);
  breaker.isolate({ owner: 'bob', reason: 'too', ttlMs: 10_000 }, 0);
  breaker.release('bob', 100);
  assert.equal(breaker.tryAcquire(200), undefined);
  assert.equal(breaker.peek(200).state, 'FORCED_OPEN');
  assert.deepEqual(breaker.peek(200).overrides, [{ owner: 'ada', reason: 'looks bad', wants: 'open', leftMs: 59_800 }]);
  assert.equal(breaker.retryAfterMs(200), 59_800);
  assert.ok(start(breaker, 60_000).probe, 'nobody knows how it is: the first calls find out');
});

test('forced closed it notes what happens and refuses nothing', () => {
  const { breaker } = world({ consecutive: 2 });
  breaker.forceClosed(operator, 0);
  fail(breaker, 0, 10);
  assert.deepEqual([breaker.peek(0).state, breaker.peek(0).wouldOpen], ['FORCED_CLOSED', 5]);
  breaker.release('ada', 1);
  assert.equal(breaker.peek(1).state, 'CLOSED');
});

test('metrics_only tells when it would open; disabled notes nothing', () => {
  const { breaker, changes } = world({ consecutive: 2 });
  breaker.setMode('metrics_only', 0);
  fail(breaker, 0, 4);
  assert.deepEqual([breaker.peek(0).state, breaker.peek(0).wouldOpen], ['METRICS_ONLY', 2]);
  assert.ok(changes.some(({ reason }) => reason.includes('not enforced')));
  breaker.setMode('disabled', 0);
  fail(breaker, 0, 100);
  assert.deepEqual([breaker.peek(0).state, breaker.peek(0).calls], ['DISABLED', 0]);
});

test('reset closes it and forgets, and those under way count no more', () => {
  const { breaker } = world({ consecutive: 1 });
  const old = start(breaker, 0);
  fail(breaker, 0);
  breaker.isolate(operator, 0);
  breaker.reset(10);
  breaker.settle(old, 'failure', 20);
  assert.deepEqual([breaker.peek(20).state, breaker.peek(20).calls, breaker.peek(20).late], ['CLOSED', 0, 1]);
});

test('a state that is restored in another process waits for what was left, whatever its clock says', () => {
  const { breaker } = world({ consecutive: 1 });
  fail(breaker, 1000);
  breaker.isolate(operator, 2000);
  const saved = JSON.parse(JSON.stringify(breaker.snapshot(4000)));
  const { breaker: other } = world({ consecutive: 1 });
  other.restore(saved, 9_000_000);
  other.release('ada', 9_000_000);
  assert.equal(other.peek(9_000_000).state, 'OPEN');
  const { breaker: third } = world({ consecutive: 1 });
  third.restore({ ...saved, overrides: [] }, 50);
  assert.equal(third.retryAfterMs(50), 2000);
  assert.equal(third.tryAcquire(2049), undefined);
  assert.ok(start(third, 2050).probe);
});

test('clocks that go back or jump neither lock it up nor open it', () => {
  const { breaker } = world({ consecutive: 3, minCalls: 100 });
  fail(breaker, 1_000_000, 2);
  breaker.settle(start(breaker, 5), 'success', 2);
  assert.equal(breaker.peek(0).state, 'CLOSED');
  fail(breaker, 0, 3);
  assert.equal(breaker.peek(0).state, 'OPEN');
  assert.equal(breaker.retryAfterMs(0), 5000);
  assert.equal(breaker.tryAcquire(1_004_999), undefined, 'it opened at the latest instant that it knew of');
  assert.ok(start(breaker, 1_005_000).probe);
});

test('advice of others makes it quick to open, and own successes outweigh it', () => {
  const { breaker } = world({ minCalls: 20, failureRate: 0.5 });
  breaker.advise(6000, 0);
  fail(breaker, 0, 5);
  assert.equal(breaker.peek(0).state, 'OPEN', 'a quarter of the calls is enough');
  const { breaker: fine } = world();
  fine.advise(6000, 0);
  for (let n = 0; n < 5; n++) fine.settle(start(fine, 10), 'success', 10);
  assert.equal(fine.peek(10).advised, false);
  const { breaker: crowded } = world();
  crowded.advise(6000, 0);
  const letIn = Array.from({ length: 1000 }, () => crowded.tryAcquire(1)).filter(Boolean).length;
  assert.ok(letIn > 50 && letIn < 150, `${letIn}`);
});

test('new settings keep the state, and the window as long as its shape is the same', () => {
  const { breaker } = world({ minCalls: 10 });
  fail(breaker, 0, 5);
  breaker.configure(resolveBreaker({ ...STEADY, minCalls: 6 }), 0);
  assert.equal(breaker.peek(0).calls, 5);
  fail(breaker, 0);
  assert.equal(breaker.peek(0).state, 'OPEN');
  breaker.configure(resolveBreaker({ ...STEADY, window: { count: 10 } }), 0);
  assert.equal(breaker.peek(0).state, 'OPEN');
});

test('I2 what operators do is told from the state before to the state after, and once', () => {
  const { breaker, changes } = world();
  breaker.isolate(operator, 0);
  breaker.isolate({ ...operator, owner: 'bob' }, 1);
  breaker.setMode('metrics_only', 2);
  breaker.reset(3);
  breaker.reset(4);
  breaker.setMode('enforce', 5);
  breaker.forceClosed(operator, 6);
  breaker.isolate(operator, 7);
  const seen = ['CLOSED', 'FORCED_OPEN', 'METRICS_ONLY', 'CLOSED', 'FORCED_CLOSED', 'FORCED_OPEN'];
  assert.deepEqual(
    changes.map(({ from, to }) => `${from} ${to}`),
    seen.slice(1).map((to, n) => `${seen[n]} ${to}`),
  );
});

test('I2 a listener that throws leaves no change half made, and the next one begins where this one ended', () => {
  const told: string[] = [];
  const breaker = createBreaker(resolveBreaker({ ...STEADY, consecutive: 1 }), {
    random: seededRandom(1),
    onTransition: ({ from, to }) => {
      told.push(`${from} ${to}`);
      throw errors.DOWN();
    },
  });
  assert.throws(() => fail(breaker, 0));
  assert.equal(breaker.peek(0).state, 'OPEN');
  assert.throws(() => breaker.tryAcquire(5000));
  assert.ok(start(breaker, 5000).probe);
  assert.deepEqual(told, ['CLOSED OPEN', 'OPEN HALF_OPEN']);
});

test('I4 a probe that ends after its time has failed, also when no other call came by meanwhile', () => {
  for (const outcome of ['success', 'cancelled'] as const) {
    const { breaker } = world({ consecutive: 1, halfOpenPermits: 1, probeTimeoutMs: 1000 });
    fail(breaker, 0);
    const [inTime] = [start(breaker, 5000)];
    breaker.settle(inTime, 'cancelled', 5999);
    const late = start(breaker, 6000);
    breaker.settle(late, outcome, 7000);
    assert.deepEqual([breaker.peek(7000).state, breaker.peek(7000).late], ['OPEN', 1], outcome);
    assert.equal(breaker.retryAfterMs(7000), 10_000);
  }
});

test('I6 who isolates an open breaker and lets go does not shorten the time that it waits', () => {
  for (const letGo of ['release', 'end'] as const) {
    const { breaker } = world({ consecutive: 1 });
    fail(breaker, 0, 1, errors.DOWN({}, { afterMs: 30_000 }));
    breaker.isolate({ ...operator, ttlMs: 10 }, 0);
    if (letGo === 'release') breaker.release('ada', 5);
    assert.equal(breaker.retryAfterMs(20), 29_980, letGo);
    assert.equal(breaker.tryAcquire(20), undefined);
    assert.equal(breaker.retryAfterMs(20), 29_980);
    assert.ok(start(breaker, 30_000).probe);
  }
});

test('I6 no wait grows beyond the longest, whatever was asked for and however often it failed', () => {
  const { breaker } = world({ consecutive: 1, openMaxMs: 15_000 });
  fail(breaker, 0, 1, errors.DOWN({}, { afterMs: 1e9 }));
  assert.equal(breaker.retryAfterMs(0), 15_000);
  const { breaker: odd } = world({ consecutive: 1 });
  fail(odd, 0, 1, errors.DOWN({}, { afterMs: Number.NaN }));
  assert.equal(odd.retryAfterMs(0), 5000);
  for (const openMs of [0, 5000]) {
    const { breaker: often } = world({ consecutive: 1, halfOpenPermits: 1, openMs });
    let nowMs = 0;
    for (let n = 0; n < 1100; n++) {
      fail(often, nowMs);
      nowMs += often.retryAfterMs(nowMs);
    }
    assert.equal(often.peek(nowMs).openForMs, 0, `${openMs}`);
    fail(often, nowMs);
    assert.equal(often.retryAfterMs(nowMs), openMs === 0 ? 0 : 60_000);
  }
});

test('I7 to ask of a far instant forgets nothing', () => {
  const { breaker } = world({ minCalls: 2 });
  fail(breaker, 0);
  assert.equal(breaker.peek(1e9).calls, 0);
  assert.equal(breaker.peek(0).calls, 1);
  fail(breaker, 0);
  assert.equal(breaker.peek(0).state, 'OPEN');
});

test('I7 what peek says when an override is over is what the next call finds', () => {
  const { breaker } = world();
  breaker.isolate({ ...operator, ttlMs: 10 }, 0);
  assert.deepEqual([breaker.peek(10).state, breaker.peek(10).eligible, breaker.retryAfterMs(10)], ['OPEN', true, 0]);
  assert.ok(start(breaker, 10).probe);
});

test('I8 where it does not enforce, neither the ramp nor the advice of others refuses anything', () => {
  const unforced: ((breaker: Breaker) => void)[] = [
    (breaker) => breaker.setMode('disabled', 5000),
    (breaker) => breaker.setMode('metrics_only', 5000),
    (breaker) => breaker.forceClosed(operator, 5000),
  ];
  for (const unforce of unforced) {
    const { breaker } = world({ consecutive: 1, halfOpenPermits: 1, rampMs: 10_000 });
    fail(breaker, 0);
    breaker.settle(start(breaker, 5000), 'success', 5000);
    breaker.advise(11_000, 5000);
    unforce(breaker);
    for (let n = 0; n < 200; n++) start(breaker, 5001);
  }
});

test('I9 an override without owner, reason or end is refused, and changes nothing', () => {
  const { breaker, changes } = world();
  for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 8 * 24 * 3_600_000])
    assert.throws(() => breaker.isolate({ ...operator, ttlMs }, 0), { reason: 'RESILIENCE_BAD_OPTION' });
  assert.throws(() => breaker.isolate({ ...operator, owner: '' }, 0), { reason: 'RESILIENCE_BAD_OPTION' });
  assert.throws(() => breaker.forceClosed({ ...operator, reason: '' }, 0), { reason: 'RESILIENCE_BAD_OPTION' });
  assert.deepEqual([breaker.peek(0).state, changes.length], ['CLOSED', 0]);
});

test('I9 overrides that are over are let go of: what a call costs does not depend on how many there were', (t) => {
  const { breaker } = world();
  for (let n = 0; n < 1000; n++) breaker.isolate({ owner: `o${n}`, reason: 'test', ttlMs: 1 }, n * 10);
  start(breaker, 20_000);
  const looks = t.mock.method(Map.prototype, 'values');
  start(breaker, 20_000);
  assert.equal(looks.mock.callCount(), 0);
});

test('I9 two who force it closed are two: the release of one leaves the other', () => {
  const { breaker } = world({ consecutive: 1 });
  breaker.forceClosed(operator, 0);
  breaker.forceClosed({ ...operator, owner: 'bob' }, 0);
  breaker.release('bob', 1);
  assert.equal(breaker.peek(1).state, 'FORCED_CLOSED');
});

test('what was forced closed is restored as forced closed, and isolation as isolation', () => {
  const { breaker } = world();
  breaker.forceClosed(operator, 0);
  const { breaker: other, changes } = world();
  other.restore(JSON.parse(JSON.stringify(breaker.snapshot(10_000))), 77);
  assert.deepEqual([other.peek(77).state, other.peek(50_076).state], ['FORCED_CLOSED', 'FORCED_CLOSED']);
  assert.equal(other.peek(50_077).state, 'CLOSED');
  assert.equal(changes.length, 1);
});

test('the share that opens it counts exactly: seven of a hundred are 0.07', () => {
  const { breaker } = world({ window: { count: 100 }, minCalls: 100, failureRate: 0.07 });
  for (let n = 0; n < 93; n++) breaker.settle(start(breaker, 0), 'success', 0);
  fail(breaker, 0, 6);
  assert.equal(breaker.peek(0).state, 'CLOSED');
  fail(breaker, 0);
  assert.equal(breaker.peek(0).state, 'OPEN');
  const { breaker: half } = world({ consecutive: 1, failureRate: 0.07, halfOpenPermits: 100 });
  fail(half, 0);
  for (const permit of Array.from({ length: 7 }, () => start(half, 5000))) half.settle(permit, 'failure', 5000);
  assert.equal(half.peek(5000).state, 'OPEN');
});

test('refused by other layers, it neither opens nor closes anything', () => {
  const { breaker } = world({ minCalls: 1, consecutive: 1 });
  for (let n = 0; n < 1000; n++) breaker.settle(start(breaker, 0), 'rejected', 0);
  assert.deepEqual([breaker.peek(0).state, breaker.peek(0).calls], ['CLOSED', 0]);
});
