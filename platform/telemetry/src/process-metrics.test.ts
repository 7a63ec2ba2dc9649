import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import { watchProcess } from './process-metrics.ts';
import { createRegistry } from './registry.ts';

test('processor time only grows, and the start of the process lies in the past', () => {
  const registry = createRegistry();
  const { clock } = systemRuntime();
  const build = { version: '1', revision: 'a' };
  const stop = watchProcess({ metrics: registry.view({}), build });
  const read = (name: string) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(registry.exposition())?.[1]);
  const first = read('process_cpu_seconds_total');
  assert.ok(read('process_cpu_seconds_total') >= first);
  assert.ok(first > 0);
  assert.ok(read('process_start_time_seconds') <= clock.now() / 1000);
  assert.ok(read('nodejs_eventloop_lag_seconds') >= 0);
  stop();
});
