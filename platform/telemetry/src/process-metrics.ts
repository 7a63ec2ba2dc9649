import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import type { Metrics } from './metrics.ts';

export interface ProcessMetricsOptions {
  readonly metrics: Metrics;
  /** What runs: shown by `souk_build_info`. */
  readonly build: { readonly version: string; readonly revision: string };
}

/** Finer would wake an idle process more often than it tells anything. */
const LAG_RESOLUTION_MS = 20;
const GC_KINDS: Readonly<Record<number, string>> = {
  1: 'minor',
  2: 'minor',
  4: 'major',
  8: 'incremental',
  16: 'weakcb',
};

/**
 * Metrics of the process and of Node.js, read when they are asked for.
 * @returns stops what watches
 */
export function watchProcess({ metrics, build }: ProcessMetricsOptions): () => void {
  const stops = [watchEventLoop(metrics), watchGarbageCollection(metrics)];
  const gauge = (name: string, help: string) => metrics.gauge({ name, help });
  const cpu = metrics.counter({ name: 'process_cpu_seconds_total', help: 'Processor time used, user and system.' });
  const resident = gauge('process_resident_memory_bytes', 'Memory that is in RAM.');
  const heapTotal = gauge('nodejs_heap_size_total_bytes', 'Size of the JavaScript heap.');
  const heapUsed = gauge('nodejs_heap_size_used_bytes', 'Used part of the JavaScript heap.');
  const external = gauge('nodejs_external_memory_bytes', 'Memory of buffers and native objects.');
  const spaces = metrics.gauge({
    name: 'nodejs_heap_space_size_used_bytes',
    help: 'Used part of each heap space.',
    labels: ['space'],
  });
  const active = metrics.gauge({
    name: 'nodejs_active_resources',
    help: 'Resources that keep the event loop alive.',
    labels: ['type'],
  });

  gauge('process_start_time_seconds', 'When the process started, since the epoch.').set(
    performance.timeOrigin / 1000,
    {},
  );
  metrics
    .gauge({ name: 'souk_build_info', help: 'What runs; always 1.', labels: ['version', 'revision', 'node'] })
    .set(1, { ...build, node: process.versions.node });

  let cpuSeconds = 0;
  const seenTypes = new Set<string>();
  metrics.onCollect(() => {
    const { user, system } = process.cpuUsage();
    const now = (user + system) / 1e6;
    cpu.add(Math.max(0, now - cpuSeconds), {});
    cpuSeconds = Math.max(now, cpuSeconds);
    const memory = process.memoryUsage();
    resident.set(memory.rss, {});
    heapTotal.set(memory.heapTotal, {});
    heapUsed.set(memory.heapUsed, {});
    external.set(memory.external, {});
    for (const space of getHeapSpaceStatistics()) {
      spaces.set(space.space_used_size, { space: space.space_name.replace(/_space$/, '') });
    }
    const types = Map.groupBy(process.getActiveResourcesInfo(), (type) => type);
    for (const type of types.keys()) seenTypes.add(type);
    for (const type of seenTypes) active.set(types.get(type)?.length ?? 0, { type });
  });
  return () => {
    for (const stop of stops) stop();
  };
}

/** How long callbacks wait for their turn, since the last time somebody asked. */
function watchEventLoop(metrics: Metrics): () => void {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const mean = metrics.gauge({ name: 'nodejs_eventloop_lag_seconds', help: 'Mean delay of the event loop.' });
  const p99 = metrics.gauge({ name: 'nodejs_eventloop_lag_p99_seconds', help: '99th percentile of the delay.' });
  const max = metrics.gauge({ name: 'nodejs_eventloop_lag_max_seconds', help: 'Longest delay.' });
  // What is recorded is the distance between two ticks of the watch, so its own resolution is part of it.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION_MS / 1000);
  metrics.onCollect(() => {
    const seen = lag.count > 0;
    mean.set(seen ? seconds(lag.mean) : 0, {});
    p99.set(seen ? seconds(lag.percentile(99)) : 0, {});
    max.set(seen ? seconds(lag.max) : 0, {});
    lag.reset();
  });
  return () => lag.disable();
}

function watchGarbageCollection(metrics: Metrics): () => void {
  const duration = metrics.histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Pauses for garbage collection.',
    labels: ['kind'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5],
  });
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail?: { kind?: number } }).detail ?? {};
      duration.observe(entry.duration / 1000, { kind: GC_KINDS[kind ?? 0] ?? 'other' });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
