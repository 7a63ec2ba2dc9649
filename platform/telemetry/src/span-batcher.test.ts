import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import { createSpanBatcher, type SpanBatcherOptions } from './span-batcher.ts';
import type { SpanExporter, SpanRecord } from './span-record.ts';

const span = (name: string): SpanRecord => ({
  service: 's',
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: undefined,
  tracestate: undefined,
  name,
  kind: 'internal',
  startMs: 0,
  durationMs: 1,
  attributes: {},
  events: [],
  links: [],
  status: 'unset',
  statusMessage: undefined,
});

function world(exporter: SpanExporter['export'], options: Partial<SpanBatcherOptions> = {}) {
  const runtime = virtualRuntime();
  const dropped: Record<string, number> = {};
  const warnings: string[] = [];
  let loads = 0;
  const batcher = createSpanBatcher({
    runtime,
    log: { ...silentLogger, warn: (message) => void warnings.push(message) },
    exporter: async () => {
      loads += 1;
      return { export: exporter };
    },
    onDropped: (count, reason) => {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    },
    ...options,
  });
  return { runtime, dropped, warnings, batcher, loads: () => loads };
}

test('spans leave together after a second, or sooner when a batch is full; the exporter is loaded by then', async () => {
  const batches: string[][] = [];
  const { runtime, batcher, loads } = world(async (spans) => void batches.push(spans.map(({ name }) => name)), {
    batchSize: 3,
  });
  batcher.take(span('a'));
  batcher.take(span('b'));
  await runtime.advance(999);
  assert.equal(loads(), 0);
  await runtime.advance(1);
  assert.deepEqual(batches, [['a', 'b']]);
  for (const name of ['c', 'd', 'e']) batcher.take(span(name));
  await runtime.settle();
  assert.deepEqual(batches[1], ['c', 'd', 'e']);
  assert.equal(loads(), 1);
  assert.equal(runtime.pendingTimers, 0);
});

test('a collector that hangs costs spans, never the caller', async () => {
  const { runtime, batcher, dropped } = world(() => new Promise(() => {}), { batchSize: 2, capacity: 4 });
  for (let i = 0; i < 10; i += 1) batcher.take(span(String(i)));
  await runtime.settle();
  for (let i = 0; i < 10; i += 1) batcher.take(span(String(i)));
  assert.equal(dropped.queue_full, 14);
});

test('what fails is counted, and said once until it works again', async () => {
  let broken = true;
  const { runtime, batcher, dropped, warnings } = world(async () => {
    if (broken) throw new Error('down');
  });
  for (let i = 0; i < 3; i += 1) {
    batcher.take(span('a'));
    await runtime.advance(1000);
  }
  broken = false;
  batcher.take(span('b'));
  await runtime.advance(1000);
  assert.equal(dropped.export_failed, 3);
  assert.equal(warnings.length, 1);
});

test('closing sends what is left', async () => {
  const sent: string[] = [];
  const { batcher, dropped } = world(async (spans) => void sent.push(...spans.map(({ name }) => name)), {
    batchSize: 2,
  });
  for (const name of ['a', 'b', 'c', 'd', 'e']) batcher.take(span(name));
  await batcher.close(1000);
  assert.deepEqual(sent, ['a', 'b', 'c', 'd', 'e']);
  batcher.take(span('late'));
  assert.deepEqual(dropped, { closed: 1 });
});

test('closing waits no longer than told, and counts what is lost', async () => {
  const hang: SpanExporter['export'] = (_spans, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const { runtime, batcher, dropped } = world(hang, { batchSize: 2 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) batcher.take(span(name));
  const closing = batcher.close(1000);
  await runtime.advance(1000);
  await closing;
  assert.equal((dropped.export_failed ?? 0) + (dropped.closed ?? 0), 5);
});
