import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { resolveBreakerSharing } from './advice-options.ts';
import { type BreakerReport, createBreakerAdvice, newerReport } from './breaker-advice.ts';

const settings = resolveBreakerSharing();
const report = (instance: string, change: Partial<BreakerReport> = {}): BreakerReport => ({
  ...{ key: 'stock', instance, state: 'OPEN', generation: 1, sample: 10, failureRate: 1, seq: 1, sinceMs: 0 },
  ...change,
});
const board = (reports: readonly BreakerReport[], nowMs = 0) => {
  const advice = createBreakerAdvice(settings);
  for (const one of reports) advice.accept(one, nowMs);
  return advice;
};

// What an instance says under a number is always the same, as it is when one process numbers its reports.
const arbitraryReport = fc
  .record({ instance: fc.constantFrom('a', 'b', 'c'), key: fc.constantFrom('k', 'l'), seq: fc.nat(5) })
  .map(({ instance, key, seq }) =>
    report(instance, { key, seq, state: seq % 2 === 0 ? 'OPEN' : 'CLOSED', sample: seq * 4 }),
  );

test('A1 the newer report wins: commutative, associative, idempotent', () => {
  const ofOne = arbitraryReport.map((one) => ({ ...one, key: 'k', instance: 'a' }));
  fc.assert(
    fc.property(ofOne, ofOne, ofOne, (a, b, c) => {
      assert.deepEqual(newerReport(a, b), newerReport(b, a));
      assert.deepEqual(newerReport(a, newerReport(b, c)), newerReport(newerReport(a, b), c));
      assert.equal(newerReport(a, a), a);
    }),
  );
});

test('A1 order and repetition of what comes in make no difference', () => {
  const twoOrders = fc
    .array(arbitraryReport, { maxLength: 20 })
    .chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
  fc.assert(
    fc.property(twoOrders, ([list, shuffled]) => {
      const [one, other] = [board(list), board(shuffled)];
      for (const key of ['k', 'l']) {
        assert.deepEqual(one.reports(key, 1), other.reports(key, 1));
        assert.deepEqual(one.verdict(key, 20, 1), other.verdict(key, 20, 1));
      }
    }),
  );
});

test('A1 a report that was overtaken is dropped, also when the newer one has expired meanwhile', () => {
  const advice = board([report('a', { seq: 5, state: 'CLOSED' })]);
  assert.equal(advice.accept(report('a', { seq: 4 }), 1), 'stale');
  assert.equal(advice.accept(report('a', { seq: 4 }), settings.ttlMs * 2), 'stale');
  assert.equal(advice.accept(report('a', { seq: 6 }), settings.ttlMs * 2), 'accepted');
});

test('A2 a report expires one lifetime after it was first heard', () => {
  const advice = board([report('a'), report('b')], 1_000);
  advice.accept(report('a'), 5_000);
  assert.equal(advice.verdict('stock', 20, 6_999).isOpen, true);
  assert.deepEqual(advice.verdict('stock', 20, 7_000), {
    ...{ live: 0, quorum: 2, open: 0, isOpen: false, untilMs: 0, suspects: [] },
  });
});

test('A2 a clock that goes back revives nothing, and one that jumps ends everything', () => {
  const advice = board([report('a'), report('b')], 10_000);
  advice.accept(report('c', { state: 'CLOSED' }), 20_000);
  assert.equal(advice.verdict('stock', 20, 10_001).live, 1);
  assert.equal(advice.verdict('stock', 20, 1e12).live, 0);
});

test('A3 advice takes half of the live instances, two at least, each with half a sample', () => {
  const cases: [open: number, closed: number, isOpen: boolean][] = [
    ...([
      [1, 0, false],
      [1, 1, false],
      [2, 0, true],
      [2, 1, true],
      [2, 2, true],
    ] as [number, number, boolean][]),
    ...([
      [2, 3, false],
      [3, 2, true],
      [4, 5, false],
      [5, 5, true],
      [50, 51, false],
    ] as [number, number, boolean][]),
  ];
  for (const [open, closed, isOpen] of cases) {
    const reports = [
      ...Array.from({ length: open }, (_, n) => report(`o${n}`)),
      ...Array.from({ length: closed }, (_, n) => report(`c${n}`, { state: 'CLOSED' })),
    ];
    assert.equal(board(reports).verdict('stock', 20, 0).isOpen, isOpen, `${open} of ${open + closed}`);
    const small = reports.map((one) => ({ ...one, sample: 9 }));
    assert.equal(board(small).verdict('stock', 20, 0).isOpen, false, `${open} of ${open + closed}, small samples`);
  }
});

test('A3 what an operator has opened is no finding', () => {
  const forced = ['a', 'b', 'c'].map((name) => report(name, { state: 'FORCED_OPEN' }));
  assert.equal(board(forced).verdict('stock', 20, 0).isOpen, false);
});

test('A3 the verdict lasts as long as a quorum of its reports', () => {
  const advice = createBreakerAdvice(settings);
  for (const ms of [100, 200, 300]) advice.accept(report(`i${ms}`), ms);
  assert.equal(advice.verdict('stock', 20, 300).untilMs, 200 + settings.ttlMs);
});

test('A4 a minority is suspect and not followed; who is alone is not', () => {
  const minority = board([report('a'), report('b', { state: 'CLOSED' }), report('c', { state: 'CLOSED' })]);
  assert.deepEqual(minority.verdict('stock', 20, 0).suspects, ['a']);
  assert.deepEqual(board([report('a'), report('b')]).verdict('stock', 20, 0).suspects, []);
  assert.deepEqual(board([report('a')]).verdict('stock', 20, 0).suspects, []);
});

test('A5 names without end do not grow it, and room comes back when they expire', () => {
  const advice = createBreakerAdvice(resolveBreakerSharing({ maxReports: 100 }));
  for (let n = 0; n < 1_000; n++) advice.accept(report(`i${n}`, { key: `k${n}` }), 0);
  assert.equal(advice.size, 100);
  assert.equal(advice.accept(report('late'), 0), 'full');
  assert.equal(advice.accept(report('late'), settings.ttlMs), 'accepted');
  assert.equal(advice.size, 1);
});
