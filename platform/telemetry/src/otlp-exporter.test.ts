import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { kernelErrors, rootContext, systemRuntime, virtualRuntime } from '@souk/kernel';
import { createTelemetryHub } from './hub.ts';
import { createOtlpExporter } from './otlp-exporter.ts';
import type { SpanRecord } from './span-record.ts';

interface Received {
  readonly path: string | undefined;
  readonly type: string | undefined;
  readonly body: { resourceSpans: Array<Record<string, never>> };
}

/** A collector that answers what `answer` says: a status, and perhaps a body. */
async function collector(
  answer: (attempt: number) => { status: number; body?: string; headers?: Record<string, string> },
) {
  const received: Received[] = [];
  let attempts = 0;
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { status, body = '{}', headers = {} } = answer(++attempts);
      if (status === 200) {
        const text = Buffer.concat(chunks).toString();
        received.push({ path: request.url, type: request.headers['content-type'], body: JSON.parse(text) });
      }
      response.writeHead(status, headers).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    received,
    attempts: () => attempts,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const record: SpanRecord = {
  service: 'orders',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: undefined,
  tracestate: 'v=1',
  name: 'POST /orders',
  kind: 'server',
  startMs: 1_795_227_946_631.5,
  durationMs: 2.25,
  attributes: { text: 'x', whole: 3, part: 0.5, yes: true },
  events: [{ name: 'retry', atMs: 1_795_227_946_632, attributes: { n: 1 } }],
  links: [{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }],
  status: 'error',
  statusMessage: 'no',
};

test('a collector gets spans as OTLP says: hex ids, nanoseconds as text, a resource per service', async () => {
  await using server = await collector(() => ({ status: 200 }));
  const exporter = createOtlpExporter({
    runtime: systemRuntime(),
    endpoint: `${server.endpoint}/`,
    fetch,
    resource: { 'service.version': '1' },
  });
  const { signal } = new AbortController();
  await exporter.export([record, { ...record, service: 'users', status: 'unset', statusMessage: undefined }], signal);
  const [request] = server.received;
  assert.equal(request?.path, '/v1/traces');
  assert.equal(request?.type, 'application/json');
  assert.deepEqual(request?.body.resourceSpans[0], {
    resource: {
      attributes: [
        { key: 'service.name', value: { stringValue: 'orders' } },
        { key: 'service.version', value: { stringValue: '1' } },
      ],
    },
    scopeSpans: [
      {
        scope: { name: 'souk' },
        spans: [
          {
            traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
            spanId: '00f067aa0ba902b7',
            traceState: 'v=1',
            flags: 1,
            name: 'POST /orders',
            kind: 2,
            startTimeUnixNano: '1795227946631500000',
            endTimeUnixNano: '1795227946633750000',
            attributes: [
              { key: 'text', value: { stringValue: 'x' } },
              { key: 'whole', value: { intValue: '3' } },
              { key: 'part', value: { doubleValue: 0.5 } },
              { key: 'yes', value: { boolValue: true } },
            ],
            events: [
              {
                name: 'retry',
                timeUnixNano: '1795227946632000000',
                attributes: [{ key: 'n', value: { intValue: '1' } }],
              },
            ],
            links: [{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }],
            status: { code: 2, message: 'no' },
          },
        ],
      },
    ],
  });
  assert.equal(request?.body.resourceSpans.length, 2);
});

test('a hub sends what its services end, at the latest when it closes', async () => {
  await using server = await collector(() => ({ status: 200 }));
  const runtime = systemRuntime();
  const destination = { write: () => {} };
  const hub = createTelemetryHub({ runtime, destination, otlpEndpoint: server.endpoint, processMetrics: false });
  const { tracer, log } = hub.forService('orders');
  await assert.rejects(
    tracer.run(rootContext({ runtime, log }), 'x', {}, () => Promise.reject(kernelErrors.CANCELED())),
  );
  await hub.close();
  assert.equal(server.received.length, 1);
  assert.match(hub.exposition(), /souk_telemetry_dropped_total\{signal="spans",reason="queue_full"\} 0/);
});

/** Exports through a `fetch` of the given answers, in virtual time. */
async function attempt(answers: ReadonlyArray<Response | Error>, totalMs = 60_000) {
  const runtime = virtualRuntime();
  const at: number[] = [];
  let rejected = 0;
  const exporter = createOtlpExporter({
    runtime,
    endpoint: 'http://collector',
    fetch: async () => {
      const answer = answers[Math.min(at.length, answers.length - 1)] as Response | Error;
      at.push(runtime.clock.monotonicMs());
      if (answer instanceof Error) throw answer;
      return answer.clone();
    },
    onRejected: (count) => {
      rejected += count;
    },
  });
  const result = exporter.export([record], new AbortController().signal).then(
    () => 'sent',
    (error: { reason: string }) => error.reason,
  );
  await runtime.advance(totalMs);
  return { result: await result, at, rejected, pending: runtime.pendingTimers };
}

test('429, 502, 503, 504 and a broken connection are repeated with a growing wait', async () => {
  for (const first of [429, 502, 503, 504]) {
    const { result, at } = await attempt([new Response('', { status: first }), new Response('{}')]);
    assert.deepEqual([result, at.length], ['sent', 2], String(first));
  }
  const broken = await attempt([new TypeError('fetch failed')]);
  assert.equal(broken.result, 'TELEMETRY_EXPORT_UNAVAILABLE');
  assert.equal(broken.at.length, 5);
  const waits = broken.at.slice(1).map((time, index) => time - (broken.at[index] as number));
  for (const [index, wait] of waits.entries()) {
    assert.ok(wait >= 250 * 2 ** index && wait <= 500 * 2 ** index, String(waits));
  }
  assert.equal(broken.pending, 0);
});

test('the wait that the collector asks for is kept', async () => {
  const busy = new Response('', { status: 429, headers: { 'retry-after': '3' } });
  assert.deepEqual((await attempt([busy, new Response('{}')])).at, [0, 3000]);
});

test('any other refusal is final', async () => {
  for (const status of [400, 401, 404, 413, 500]) {
    const { result, at } = await attempt([new Response('', { status })]);
    assert.deepEqual([result, at.length], ['TELEMETRY_EXPORT_REFUSED', 1], String(status));
  }
});

test('spans that a collector did not keep are counted, not sent again', async () => {
  const partly = new Response(JSON.stringify({ partialSuccess: { rejectedSpans: '2', errorMessage: 'too old' } }));
  assert.deepEqual(await attempt([partly]), { result: 'sent', at: [0], rejected: 2, pending: 0 });
  assert.equal((await attempt([new Response('')])).result, 'sent');
});
