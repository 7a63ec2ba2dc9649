import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { createTimerWheel, NEW_ENTRY, type WheelEntry } from './timer-wheel.ts';

const entry = (onDue: (nowMs: number) => void): WheelEntry => ({ ...NEW_ENTRY, onDue });

test('W1, W2 entries fire once, not early and not late, unless they were taken away or moved', async () => {
  const op = fc.record({
    afterMs: fc.integer({ min: 0, max: 20_000 }),
    at: fc.integer({ min: 0, max: 3_000 }),
    fate: fc.constantFrom('stays', 'removed', 'moved' as const),
    later: fc.integer({ min: 0, max: 12_000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 30, size: 'max' }), async (ops) => {
      const runtime = virtualRuntime();
      const wheel = createTimerWheel(runtime);
      const fired = new Map<number, number[]>();
      const due = new Map<number, number>();
      const entries = ops.map((_, index) => entry((nowMs) => fired.set(index, [...(fired.get(index) ?? []), nowMs])));
      for (const [index, { afterMs, at, fate, later }] of ops.entries()) {
        const own = entries[index] as WheelEntry;
        runtime.timers.after(at, () => {
          const nowMs = runtime.clock.monotonicMs();
          wheel.add(own, nowMs + afterMs, nowMs);
          due.set(index, nowMs + afterMs);
        });
        if (fate === 'stays') continue;
        runtime.timers.after(at + later, () => {
          if (fired.has(index)) return;
          const nowMs = runtime.clock.monotonicMs();
          if (fate === 'removed') {
            wheel.remove(own);
            due.delete(index);
          } else {
            wheel.add(own, nowMs + afterMs, nowMs);
            due.set(index, nowMs + afterMs);
          }
        });
      }
      await runtime.advance(60_000);
      assert.equal(wheel.size, 0);
      for (const index of ops.keys()) {
        const wanted = due.get(index);
        const times = fired.get(index) ?? [];
        assert.equal(times.length, wanted === undefined ? 0 : 1, `entry ${index}`);
        if (wanted !== undefined)
          assert.ok((times[0] ?? 0) >= wanted && (times[0] ?? 0) <= wanted + 20, `${times[0]} for ${wanted}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('W2 an entry that another takes away as both fall due does not fire', async () => {
  const runtime = virtualRuntime();
  const wheel = createTimerWheel(runtime);
  const fired: string[] = [];
  const both: WheelEntry[] = [];
  for (const name of ['a', 'b'])
    both.push(
      entry(() => {
        fired.push(name);
        for (const other of both) wheel.remove(other);
      }),
    );
  for (const one of both) wheel.add(one, 100, 0);
  await runtime.advance(1000);
  assert.equal(fired.length, 1);
});

test('an entry that adds itself again waits again', async () => {
  const runtime = virtualRuntime();
  const wheel = createTimerWheel(runtime);
  const fired: number[] = [];
  const again: WheelEntry = entry((nowMs) => {
    fired.push(nowMs);
    if (fired.length < 3) wheel.add(again, nowMs + 100, nowMs);
  });
  wheel.add(again, 100, 0);
  await runtime.advance(1000);
  assert.deepEqual(fired, [100, 200, 300]);
});

test('a hundred thousand calls that end in time set a few timers, and leave none', async () => {
  const runtime = virtualRuntime();
  let set = 0;
  const after = (ms: number, run: () => void) => {
    set++;
    return runtime.timers.after(ms, run);
  };
  const timers = { ...runtime.timers, after };
  const wheel = createTimerWheel({ clock: runtime.clock, timers });
  for (let n = 0; n < 100_000; n++) {
    const call = entry(() => assert.fail('nobody was late'));
    wheel.add(call, runtime.clock.monotonicMs() + 400, runtime.clock.monotonicMs());
    wheel.remove(call);
    if (n % 1000 === 0) await runtime.advance(10);
  }
  await runtime.advance(10_000);
  assert.ok(set < 10, `${set} timers`);
  assert.equal(runtime.pendingTimers, 0);
});
