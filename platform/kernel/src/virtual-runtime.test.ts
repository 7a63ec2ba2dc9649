import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom, virtualRuntime } from './virtual-runtime.ts';

test('time stands still until it is moved, and both clocks move together', async () => {
  const runtime = virtualRuntime({ startAt: '2026-01-01T00:00:00Z' });
  assert.equal(runtime.clock.now(), Date.parse('2026-01-01T00:00:00Z'));
  await runtime.advance(1500);
  assert.equal(runtime.clock.now(), Date.parse('2026-01-01T00:00:01.500Z'));
  assert.equal(runtime.clock.monotonicMs(), 1500);
});

test('timers fire at their own instant, in order of time, then of creation', async () => {
  const delays = fc.array(fc.integer({ min: -1, max: 20 }), { maxLength: 20, size: 'max' });
  await fc.assert(
    fc.asyncProperty(delays, async (list) => {
      const runtime = virtualRuntime();
      const fired: Array<readonly [number, number]> = [];
      list.forEach((ms, index) => {
        runtime.timers.after(ms, () => {
          assert.equal(runtime.clock.monotonicMs(), Math.max(0, ms));
          fired.push([Math.max(0, ms), index]);
        });
      });
      await runtime.advance(20);
      assert.equal(fired.length, list.length);
      assert.deepEqual(
        fired,
        fired.toSorted(([a, i], [b, j]) => a - b || i - j),
      );
    }),
    { numRuns: 30 },
  );
});

test('a repeated timer fires until it is cancelled, also from inside', async () => {
  const runtime = virtualRuntime();
  let runs = 0;
  const timer = runtime.timers.every(10, () => {
    runs += 1;
    if (runs === 3) timer.cancel();
  });
  await runtime.advance(100);
  assert.equal(runs, 3);
  assert.equal(runtime.pendingTimers, 0);
});

test('an interval of zero still lets time move on', async () => {
  const runtime = virtualRuntime();
  let runs = 0;
  runtime.timers.every(0, () => {
    runs += 1;
  });
  await runtime.advance(5);
  assert.equal(runs, 5);
});

test('a sleep ends with its time or with its signal, and leaves no timer', async () => {
  const runtime = virtualRuntime();
  const control = new AbortController();
  const sleep = runtime.timers.sleep(100, control.signal);
  control.abort('enough');
  await assert.rejects(sleep, (reason) => reason === 'enough');
  assert.equal(runtime.pendingTimers, 0);
  let slept = false;
  const whole = runtime.timers.sleep(100).then(() => {
    slept = true;
  });
  await runtime.advance(99);
  assert.equal(slept, false);
  await runtime.advance(1);
  await whole;
});

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return [random.next(), random.next(), ...random.bytes(8)];
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
});

test('seeded numbers lie in [0, 1) and spread', () => {
  const random = seededRandom(3);
  const numbers = Array.from({ length: 10_000 }, () => random.next());
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((a, b) => a + b) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, String(mean));
});
