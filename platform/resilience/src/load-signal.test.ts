import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLoadSignal, type LoadSample, type LoadSignal } from './load-signal.ts';

const calm: LoadSample = { eventLoopDelayMs: 1, heapRatio: 0.3 };

/** As measured twice in a row. */
const seen = (signal: LoadSignal, sample: LoadSample): number => {
  signal.update(sample);
  return signal.update(sample);
};

test('a calm process has no overload', () => {
  assert.equal(createLoadSignal().update(calm), 0);
  assert.equal(createLoadSignal().overload, 0);
});

test('it is 0 below the limits, and 1 from half beyond the delay and from a full heap', () => {
  const signal = createLoadSignal();
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 99 }), 0);
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 125 }), 0.5);
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 10_000 }), 1);
  assert.equal(createLoadSignal().update({ ...calm, heapRatio: 0.849 }), 0);
  assert.ok(createLoadSignal().update({ ...calm, heapRatio: 1 }) > 0.99);
});

test('a single pause is no overload, and lateness that goes on is', () => {
  const signal = createLoadSignal();
  const late: LoadSample = { ...calm, eventLoopDelayMs: 1000 };
  assert.deepEqual([late, calm, late, late, late, calm].map(signal.update), [0, 0, 0, 1, 1, 0]);
});

test('the worst of the signals counts', () => {
  const signal = createLoadSignal();
  assert.ok(Math.abs(seen(signal, { eventLoopDelayMs: 140, heapRatio: 0.86 }) - 0.8) < 1e-9);
});

test('what was over its limit stays so until it is a tenth below', () => {
  const signal = createLoadSignal();
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 95 }), 0);
  assert.ok(seen(signal, { ...calm, eventLoopDelayMs: 101 }) > 0);
  assert.ok(seen(signal, { ...calm, eventLoopDelayMs: 95 }) > 0);
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 89 }), 0);
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 95 }), 0);
});

test('other limits take the place of the usual ones, each by itself', () => {
  const signal = createLoadSignal({ eventLoopDelayMs: 500 });
  assert.equal(seen(signal, { ...calm, eventLoopDelayMs: 400 }), 0);
  assert.ok(signal.update({ ...calm, heapRatio: 0.9 }) > 0);
});

test('whatever is measured, it is from 0 to 1; what could not be measured says nothing', () => {
  const value = fc.oneof(fc.double({ min: 0, max: 1000 }), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0));
  fc.assert(
    fc.property(fc.array(fc.record({ eventLoopDelayMs: value, heapRatio: value })), (samples) => {
      const signal = createLoadSignal();
      for (const sample of samples) {
        const overload = signal.update(sample);
        assert.ok(overload >= 0 && overload <= 1, `${overload}`);
        assert.equal(signal.overload, overload);
      }
    }),
  );
});
