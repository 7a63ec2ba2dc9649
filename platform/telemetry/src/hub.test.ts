import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, virtualRuntime } from '@souk/kernel';
import { createTelemetryHub } from './hub.ts';
import { silentTelemetry } from './silent-telemetry.ts';
import { collectSpans } from './span-collector.ts';
import { standardMetrics, startBusinessEvents, startHttpRoute } from './standard-metrics.ts';

function world() {
  const lines: string[] = [];
  const runtime = virtualRuntime();
  const spans = collectSpans();
  const destination = { write: (line: string) => void lines.push(line) };
  const hub = createTelemetryHub({ runtime, destination, spanSink: spans, processMetrics: false });
  return { lines, runtime, spans, hub };
}

test('each service reports under its own name, through one hub', async () => {
  const { lines, runtime, spans, hub } = world();
  for (const name of ['orders', 'users']) {
    const { log, tracer, metrics } = hub.forService(name);
    await tracer.run(rootContext({ runtime, log }), 'work', {}, async (ctx) => ctx.log.info('hello'));
    metrics.counter({ name: 'a_total', help: '.' }).add(1, {});
  }
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { service: string }).service),
    ['orders', 'users'],
  );
  assert.deepEqual(
    spans.spans.map((span) => span.service),
    ['orders', 'users'],
  );
  assert.match(hub.exposition(), /a_total\{service="users"\} 1/);
  assert.equal(hub.forService('users'), hub.forService('users'));
  await hub.close();
});

test('a line inside a span has the ids of that span', async () => {
  const { lines, runtime, spans, hub } = world();
  const { log, tracer } = hub.forService('orders');
  await tracer.run(rootContext({ runtime, log }), 'outer', {}, (outer) =>
    tracer.run(outer, 'inner', {}, async (inner) => inner.log.info('x')),
  );
  const line = JSON.parse(lines[0] ?? '{}') as { trace_id: string; span_id: string };
  assert.equal(line.span_id, spans.named('inner')[0]?.spanId);
  assert.equal(line.trace_id, spans.named('outer')[0]?.traceId);
});

test('a metric with too many series is warned of in the log', () => {
  const { lines, hub } = world();
  const counter = hub.forService('orders').metrics.counter({ name: 'a_total', help: '.', labels: ['id'] });
  for (let i = 0; i < 2100; i += 1) counter.add(1, { id: String(i) });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /too many series.*|a_total/);
  assert.match(hub.exposition(), /a_total\{service="orders",otel_metric_overflow="true"\} 100/);
});

test('standard metrics exist once, and known series start at zero', () => {
  const { hub } = world();
  const { metrics } = hub.forService('orders');
  startBusinessEvents(metrics, ['order_placed']);
  startHttpRoute(metrics, { method: 'POST', route: '/api/v1/orders', statuses: [201, 400] });
  standardMetrics(metrics).activeConnections.add(1, {});
  const page = hub.exposition();
  assert.match(page, /\nbusiness_events_total\{service="orders",event="order_placed"\} 0\n/);
  assert.match(
    page,
    /\nhttp_requests_total\{service="orders",method="POST",route="\/api\/v1\/orders",status="201"\} 0\n/,
  );
  assert.match(page, /\nactive_connections\{service="orders"\} 1\n/);
  assert.match(page, /\n# TYPE http_request_duration_seconds histogram\n/);
});

test('the process is watched until the hub closes', async () => {
  const runtime = virtualRuntime();
  const build = { version: '0.1.0', revision: 'abc' };
  const hub = createTelemetryHub({ runtime, destination: { write: () => {} }, build });
  const page = hub.exposition();
  assert.match(page, /\nsouk_build_info\{version="0.1.0",revision="abc",node="[\d.]+"\} 1\n/);
  const wanted = ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_heap_size_used_bytes'];
  wanted.push('nodejs_eventloop_lag_seconds', 'process_start_time_seconds', 'nodejs_external_memory_bytes');
  for (const name of wanted) assert.match(page, new RegExp(`\n${name} [\\d.e+-]+\n`), name);
  await hub.close();
});

test('silent telemetry takes everything and shows nothing', async () => {
  const runtime = virtualRuntime();
  const { tracer, metrics, log } = silentTelemetry(runtime);
  log.info('x');
  metrics.counter({ name: 'a_total', help: '.' }).add(1, {});
  assert.equal(await tracer.run(rootContext({ runtime }), 'x', {}, async () => 7), 7);
});
