import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import { createLiveBalancing } from './live-balancing.ts';

test('calls are spread as the settings say now, and as before when these are wrong', async () => {
  const runtime = virtualRuntime();
  let file: Record<string, unknown> | undefined;
  const live = createLiveBalancing({
    settings: { orders: { algorithm: 'roundRobin' } },
    reload: async () => file,
    timers: runtime.timers,
    log: silentLogger,
  });
  const algorithms = () => ['orders', 'users'].map((service) => live.of(service).algorithm);
  assert.deepEqual(algorithms(), ['roundRobin', 'leastRequest']);
  assert.equal(live.of('orders'), live.of('orders'));
  file = { '*': { algorithm: 'peakEwma' }, users: { algorithm: 'random' } };
  await runtime.advance(2000);
  assert.deepEqual(algorithms(), ['peakEwma', 'random']);
  file = { '*': { algorithm: 'best' } };
  await runtime.advance(2000);
  assert.deepEqual(algorithms(), ['peakEwma', 'random']);
  live.close();
  assert.equal(runtime.pendingTimers, 0);
});
