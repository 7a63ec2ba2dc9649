import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import type { LoadSample } from './load-signal.ts';
import { watchNodeLoad } from './node-load.ts';

test('measures once a second until it is ended, and leaves no timer', async () => {
  const runtime = virtualRuntime();
  const samples: LoadSample[] = [];
  const end = watchNodeLoad(runtime.timers, (sample) => samples.push(sample));
  await runtime.advance(3000);
  assert.equal(samples.length, 3);
  for (const { eventLoopDelayMs, heapRatio } of samples) {
    assert.ok(eventLoopDelayMs >= 0 && Number.isFinite(eventLoopDelayMs), `${eventLoopDelayMs}`);
    assert.ok(heapRatio > 0 && heapRatio < 1, `${heapRatio}`);
  }
  end();
  await runtime.advance(3000);
  assert.equal(samples.length, 3);
  assert.equal(runtime.pendingTimers, 0);
});
