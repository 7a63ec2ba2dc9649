import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Timers, virtualRuntime } from '@souk/kernel';
import { createWatch } from './watch.ts';

function world() {
  const runtime = virtualRuntime();
  let armed = 0;
  const timers: Timers = {
    ...runtime.timers,
    after: (delayMs, run) => {
      armed++;
      return runtime.timers.after(delayMs, run);
    },
  };
  const watch = createWatch({ clock: runtime.clock, timers });
  return { runtime, watch, armed: () => armed, nowMs: runtime.clock.monotonicMs() };
}

test('each is called at its time, whatever the order they came in, unless it was called off', async () => {
  const { runtime, watch, nowMs } = world();
  const called: string[] = [];
  watch.at(nowMs + 300, () => called.push('late'));
  watch.at(nowMs + 100, () => called.push('early'));
  const off = watch.at(nowMs + 200, () => called.push('never'));
  await runtime.advance(150);
  assert.deepEqual(called, ['early']);
  off();
  await runtime.advance(100);
  assert.deepEqual(called, ['early']);
  await runtime.advance(100);
  assert.deepEqual(called, ['early', 'late']);
});

test('limits that are called off in time share one timer', async () => {
  const { runtime, watch, nowMs, armed } = world();
  for (let n = 0; n < 1_000; n++) watch.at(nowMs + 10_000 + n, () => assert.fail('was called off'))();
  await runtime.advance(20_000);
  assert.equal(armed(), 1);
});
