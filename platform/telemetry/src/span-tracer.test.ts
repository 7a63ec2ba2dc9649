import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelErrors, rootContext, virtualRuntime } from '@souk/kernel';
import { ratioSampler } from './sampling.ts';
import { collectSpans } from './span-collector.ts';
import { createTracer } from './span-tracer.ts';

function world(keeps: (traceId: string) => boolean = () => true) {
  const runtime = virtualRuntime();
  const sink = collectSpans();
  const tracer = createTracer({ service: 'orders', runtime, sink, keeps });
  return { runtime, sink, tracer, ctx: rootContext({ runtime }) };
}

test('the first span of a trace has no parent, the next is its child, and the logger follows', async () => {
  const { sink, tracer, ctx } = world();
  await tracer.run(ctx, 'outer', { kind: 'server' }, async (outer) => {
    await tracer.run(outer, 'inner', {}, async (inner) => assert.notEqual(inner.trace.spanId, outer.trace.spanId));
  });
  const [inner, outer] = sink.spans;
  assert.equal(outer?.parentSpanId, undefined);
  assert.equal(inner?.parentSpanId, outer?.spanId);
  assert.equal(inner?.traceId, ctx.trace.traceId);
  assert.deepEqual([outer?.name, outer?.kind, outer?.service], ['outer', 'server', 'orders']);
});

test('a span of a remote parent is its child', () => {
  const { sink, tracer, runtime } = world();
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true, tracestate: 'v=1' };
  const span = tracer.start(rootContext({ runtime, trace }), 'x');
  span.end();
  assert.equal(sink.spans[0]?.parentSpanId, 'b'.repeat(16));
  assert.equal(span.trace.tracestate, 'v=1');
});

test('a span measures with the monotonic clock and keeps what it was told', async () => {
  const { sink, tracer, ctx, runtime } = world();
  const link = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: true };
  const span = tracer.start(ctx, 'x', { attributes: { 'http.route': '/x' }, links: [link] });
  await runtime.advance(20);
  span.event('retry', { attempt: 2 });
  span.set('souk.retry.attempt', 2);
  await runtime.advance(5);
  span.end();
  const [record] = sink.spans;
  assert.equal(record?.startMs, runtime.clock.now() - 25);
  assert.equal(record?.durationMs, 25);
  assert.deepEqual(record?.attributes, { 'http.route': '/x', 'souk.retry.attempt': 2 });
  assert.deepEqual(record?.events, [{ name: 'retry', atMs: runtime.clock.now() - 5, attributes: { attempt: 2 } }]);
  assert.deepEqual(record?.links, [{ traceId: link.traceId, spanId: link.spanId }]);
});

test('a span ends once, and takes nothing afterwards', () => {
  const { sink, tracer, ctx } = world();
  const span = tracer.start(ctx, 'x');
  span.end();
  span.set('late', 1);
  span.end();
  assert.equal(sink.spans.length, 1);
  assert.deepEqual(sink.spans[0]?.attributes, {});
});

test('work that throws fails its span, and the error comes through', async () => {
  const { sink, tracer, ctx } = world();
  const error = new Error('secret of a library');
  await assert.rejects(
    tracer.run(ctx, 'x', {}, () => Promise.reject(error)),
    (thrown) => thrown === error,
  );
  const [record] = sink.spans;
  assert.equal(record?.status, 'error');
  assert.equal(record?.attributes['error.type'], 'SOUK_INTERNAL');
  assert.doesNotMatch(JSON.stringify(record), /secret of a library/);
});

test("a caller's mistake is no error of the server, but one of the client", () => {
  const { sink, tracer, ctx } = world();
  for (const kind of ['server', 'client'] as const) {
    const span = tracer.start(ctx, kind, { kind });
    span.fail(kernelErrors.CANCELED());
    span.end();
  }
  const [server, client] = sink.spans;
  assert.deepEqual([server?.status, server?.attributes], ['unset', { 'souk.refusal': 'SOUK_CANCELED' }]);
  assert.deepEqual([client?.status, client?.attributes], ['error', { 'error.type': 'SOUK_CANCELED' }]);
});

test('attributes with sensitive names are masked, long ones cut, too many dropped', () => {
  const { sink, tracer, ctx } = world();
  const span = tracer.start(ctx, 'x', { attributes: { 'user.email': 'eve@example.org' } });
  span.event('e', { password: 'hunter2' });
  span.set('long', 'x'.repeat(10_000));
  for (let i = 0; i < 500; i += 1) span.set(`k${i}`, i);
  for (let i = 0; i < 500; i += 1) span.event(`e${i}`);
  span.end();
  const text = JSON.stringify(sink.spans);
  assert.doesNotMatch(text, /eve@|hunter2/);
  assert.ok(text.length < 30_000, String(text.length));
});

test('a trace that is not kept costs no span, and says so to whoever is called', async () => {
  const { sink, tracer, ctx } = world(() => false);
  await tracer.run(ctx, 'x', {}, async (inner) => {
    assert.equal(inner.trace.sampled, false);
    assert.equal(inner.trace.traceId, ctx.trace.traceId);
    await tracer.run(inner, 'y', {}, async () => {});
  });
  assert.equal(sink.spans.length, 0);
});

test('a trace that began elsewhere follows its parent, whatever the ratio here', () => {
  const { sink, tracer, runtime } = world(() => false);
  for (const sampled of [true, false]) {
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled };
    tracer.start(rootContext({ runtime, trace }), String(sampled)).end();
  }
  assert.deepEqual(
    sink.spans.map((span) => span.name),
    ['true'],
  );
});

test('when nobody listens the context goes through unchanged', async () => {
  const { runtime, ctx } = world();
  const tracer = createTracer({ service: 's', runtime, sink: undefined, keeps: () => true });
  await tracer.run(ctx, 'x', {}, async (inner) => assert.equal(inner, ctx));
  assert.equal(tracer.start(ctx, 'x').trace, ctx.trace);
});

test('the sampler keeps its share, by the id alone', () => {
  const { ids, random } = virtualRuntime();
  assert.ok(ids);
  const traces = Array.from({ length: 5000 }, () => Buffer.from(random.bytes(16)).toString('hex'));
  const tenth = ratioSampler(0.1);
  const kept = traces.filter(tenth);
  assert.ok(kept.length > 400 && kept.length < 600, String(kept.length));
  const half = ratioSampler(0.5);
  assert.ok(kept.every(half), 'what a low ratio keeps, a higher one keeps too');
  assert.equal(traces.filter(ratioSampler(0)).length + traces.filter(ratioSampler(Number.NaN)).length, 0);
  assert.equal(traces.filter(ratioSampler(1)).length, traces.length);
});
