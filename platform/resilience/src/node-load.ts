import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Timers } from '@souk/kernel';
import type { LoadSample } from './load-signal.ts';

/**
 * Measures this process once a second.
 * @returns ends it
 */
export function watchNodeLoad(timers: Timers, onSample: (sample: LoadSample) => void): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const timer = timers.every(1000, () => {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    onSample({
      // The histogram holds the interval itself too.
      eventLoopDelayMs: Math.max(0, delay.percentile(99) / 1e6 - 10),
      heapRatio: used / limit,
    });
    delay.reset();
  });
  return () => {
    timer.cancel();
    delay.disable();
  };
}
