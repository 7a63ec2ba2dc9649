import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bench, bench, failOn, instance, instances } from '../../test/balancing-fixture.ts';

/** By chance: least request would hardly ask who fails. */
const QUIET = { algorithm: 'random', slowStart: { windowMs: 0 }, outlier: { jitterMs: 0 } } as const;
const ejected = (on: Bench): string[] =>
  on.picker.describe().instances.flatMap(({ id, state }) => (state === 'ejected' ? [id] : []));
const viewOf = (on: Bench, id: string) => on.picker.describe().instances.find((one) => one.id === id);

test('five failures in a row eject, for 30 s, and then it is asked again', () => {
  const on = bench(QUIET, instances(4));
  failOn(on, 'orders-01', 4);
  assert.deepEqual(ejected(on), []);
  failOn(on, 'orders-01', 1);
  assert.deepEqual(ejected(on), ['orders-01']);
  on.runtime.pass(29_999);
  assert.ok(!on.calls(200).has('orders-01'));
  on.runtime.pass(2);
  assert.ok(on.calls(200).has('orders-01'));
  assert.deepEqual(ejected(on), []);
});

test('a success in between starts the count anew, and a call that was given up says nothing', () => {
  const on = bench(QUIET, [instance('a')]);
  for (const kind of ['error', 'error', 'error', 'error', 'ok', 'error', 'canceled', 'error'] as const)
    on.call({}, kind);
  assert.deepEqual(ejected(on), []);
});

test('calls without an answer are counted apart from failed answers', () => {
  const on = bench(QUIET, [instance('a')]);
  for (let n = 0; n < 4; n++) on.call({}, 'unreachable');
  // An answer, if a bad one: it can be reached.
  on.call({}, 'error');
  for (let n = 0; n < 4; n++) on.call({}, 'unreachable');
  assert.deepEqual(ejected(on), []);
  on.call({}, 'unreachable');
  assert.deepEqual(ejected(on), ['a']);
  assert.equal(viewOf(on, 'a')?.dropped, undefined, 'too few others are healthy, so it is asked');
});

test('O1 never more are ejected than the settings say, but one always may be', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 100 }),
      fc.array(fc.record({ bad: fc.nat(29), kind: fc.constantFrom('error', 'unreachable'), passMs: fc.nat(20_000) }), {
        maxLength: 40,
      }),
      (count, maxEjectedPercent, steps) => {
        const on = bench({ ...QUIET, panicPercent: 0, outlier: { jitterMs: 0, maxEjectedPercent } }, instances(count));
        const most = Math.max(1, Math.floor((count * maxEjectedPercent) / 100));
        for (const { bad, kind, passMs } of steps) {
          failOn(on, `orders-${String(bad % count).padStart(2, '0')}`, 6, kind as 'error');
          assert.ok(ejected(on).length <= most, `${ejected(on).length} of ${count} are ejected`);
          on.runtime.pass(passMs);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('O1 a single instance can be ejected, and panic asks it all the same', () => {
  const on = bench(QUIET, [instance('a')]);
  failOn(on, 'a', 5);
  assert.deepEqual(ejected(on), ['a']);
  assert.equal(on.picker.describe().panic, true);
  assert.equal(on.call(), 'a');
  on.change({ ...QUIET, panicPercent: 0 });
  assert.equal(on.call(), undefined);
  assert.equal(on.picker.explain(), '1 registered, of which 1: ejected');
});

test('O2 the n-th ejection lasts n times as long, up to the longest, and up to the jitter more', () => {
  const on = bench({ ...QUIET, outlier: { jitterMs: 500, maxEjectionMs: 70_000 } }, instances(3));
  for (const wanted of [30_000, 60_000, 70_000, 70_000]) {
    failOn(on, 'orders-00', 5);
    const forMs = viewOf(on, 'orders-00')?.ejectedForMs as number;
    assert.ok(forMs >= wanted && forMs < wanted + 500, `${forMs} instead of ${wanted}`);
    on.runtime.pass(forMs + 1);
  }
});

test('O2 an instance that behaves is taken back by one ejection per interval', () => {
  const on = bench(QUIET, instances(3));
  for (let n = 0; n < 2; n++) {
    failOn(on, 'orders-00', 5);
    on.runtime.pass(30_000 * (n + 1) + 1);
  }
  on.call();
  assert.equal(viewOf(on, 'orders-00')?.ejections, 2);
  for (let n = 0; n < 3; n++) {
    on.runtime.pass(10_001);
    on.call();
  }
  assert.equal(viewOf(on, 'orders-00')?.ejections, 0);
});

test('O3 calls from before an ejection ended do not eject again', () => {
  const on = bench(QUIET, [instance('a')]);
  const late = Array.from({ length: 10 }, () => on.picker.pick({}));
  failOn(on, 'a', 5);
  on.runtime.pass(30_001);
  on.call();
  for (const picked of late) picked?.done({ kind: 'error' });
  assert.deepEqual(ejected(on), []);
});

test('a check outside that passes again ends an ejection', () => {
  const on = bench(QUIET, instances(3));
  failOn(on, 'orders-00', 5);
  on.tell(instances(3, (n) => (n === 0 ? { ready: false, serving: false } : {})));
  assert.equal(viewOf(on, 'orders-00')?.state, 'unhealthy');
  on.tell(instances(3));
  assert.deepEqual(ejected(on), []);
});

test('an ejection is kept over updates, and gone with a new incarnation', () => {
  const on = bench(QUIET, instances(3));
  failOn(on, 'orders-00', 5);
  on.tell(instances(4));
  assert.deepEqual(ejected(on), ['orders-00']);
  on.tell(instances(4, (n) => (n === 0 ? { incarnation: 'second' } : {})));
  assert.deepEqual(ejected(on), []);
});

/** An interval of calls, of which those on `rates[n]` fail at that rate, spread evenly. */
function interval(on: Bench, rates: readonly number[], perInstance: number): void {
  for (const [n, rate] of rates.entries()) {
    const avoid = new Set(instances(rates.length).flatMap(({ id }, other) => (other === n ? [] : [id])));
    for (let call = 0; call < perInstance; call++)
      on.call({ avoid }, Math.floor((call + 1) * rate) > Math.floor(call * rate) ? 'error' : 'ok');
  }
  on.runtime.pass(10_001);
  on.call();
}

test('success rate: who fails clearly more often than the others is ejected', () => {
  const on = bench(QUIET, instances(10));
  interval(on, [0, 0, 0, 0, 0, 0, 0, 0.3, 0, 0], 100);
  assert.deepEqual(ejected(on), ['orders-07']);
});

test('success rate: nobody is judged by few calls, by few instances, or when all fail alike', () => {
  for (const [rates, calls] of [
    [[0, 0, 0, 0, 0, 0, 0, 0.3], 99],
    [[0, 0, 0, 0.3], 100],
    [[0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3], 100],
    [[0, 0, 0, 0, 0, 0, 0, 0.02], 100],
  ] as const) {
    const on = bench(QUIET, instances(rates.length));
    interval(on, rates, calls);
    assert.deepEqual(ejected(on), [], `${rates}`);
  }
});

test('failure percentage: off at first; who fails so often is ejected when it is on', () => {
  const rates = [0.9, 0.9, 0.5, 0.5, 0.5, 0.5];
  const failurePercentage = { enabled: true };
  const successRate = { enabled: false };
  const limits = { consecutiveErrors: 0, jitterMs: 0, maxEjectedPercent: 50 };
  const off = bench({ algorithm: 'random', outlier: { ...limits, successRate } }, instances(6));
  interval(off, rates, 60);
  assert.deepEqual(ejected(off), []);
  const on = bench({ algorithm: 'random', outlier: { ...limits, successRate, failurePercentage } }, instances(6));
  interval(on, rates, 60);
  assert.deepEqual(ejected(on), ['orders-00', 'orders-01']);
});

test('latency: off at first; who is several times slower than the median is ejected when it is on', () => {
  const run = (latency: object) => {
    const on = bench({ ...QUIET, outlier: { jitterMs: 0, latency } }, instances(5));
    for (let n = 0; n < 5; n++) {
      const avoid = new Set(instances(5).flatMap(({ id }, other) => (other === n ? [] : [id])));
      for (let call = 0; call < 20; call++) on.call({ avoid }, 'ok', n === 4 ? 60 : 10);
    }
    on.runtime.pass(10_001);
    on.call();
    return ejected(on);
  };
  assert.deepEqual(run({}), []);
  assert.deepEqual(run({ enabled: true }), ['orders-04']);
  assert.deepEqual(run({ enabled: true, factor: 10 }), []);
  assert.deepEqual(run({ enabled: true, minMs: 100 }), []);
});

test('switching ejection off brings back who is ejected', () => {
  const on = bench(QUIET, instances(3));
  failOn(on, 'orders-00', 5);
  on.change({ outlier: { enabled: false } });
  assert.deepEqual(ejected(on), []);
});
