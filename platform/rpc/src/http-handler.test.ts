import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { kernelErrors } from '@souk/kernel';
import { serveShop } from '../test/server.ts';
import type { HttpProtocol } from './index.ts';

test('a reply names its trace, that of the request when it brought one', async () => {
  await using shop = await serveShop();
  const traceId = 'a'.repeat(32);
  const headers = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` };
  const traced = await fetch(`${shop.url}/v1/orders/o1`, { headers });
  assert.equal(traced.headers.get('x-trace-id'), traceId);
  const untraced = await fetch(`${shop.url}/nowhere`, { headers: { traceparent: 'nonsense' } });
  const problem = (await untraced.json()) as { traceId: string };
  assert.match(problem.traceId, /^(?!a{32})[0-9a-f]{32}$/);
  assert.equal(untraced.headers.get('x-trace-id'), problem.traceId);
  assert.match(untraced.headers.get('traceparent') ?? '', new RegExp(`^00-${problem.traceId}-[0-9a-f]{16}-0[01]$`));
});

test('requests are counted by template, never by path', async () => {
  await using shop = await serveShop();
  await (await fetch(`${shop.url}/v1/orders/secret-id`)).text();
  await (await fetch(`${shop.url}/nowhere/secret-id`)).text();
  await (await fetch(`${shop.url}/v1/orders/secret-id`, { method: 'PATCH' })).text();
  const counted = shop.series.filter((series) => series.startsWith('http_requests_total'));
  assert.deepEqual(counted, [
    'http_requests_total{method="GET",route="/v1/orders/{id}",status="200"}',
    'http_requests_total{method="GET",route="(none)",status="404"}',
    'http_requests_total{method="PATCH",route="(wrong verb)",status="405"}',
  ]);
  assert.doesNotMatch(shop.series.join('\n'), /secret-id/);
});

test('what a handler throws by accident is a 500 that says nothing, with an id that is in the log', async () => {
  await using shop = await serveShop({ getOrder: () => Promise.reject(new Error('select password from users')) });
  const response = await fetch(`${shop.url}/v1/orders/o1`);
  const text = await response.text();
  assert.equal(response.status, 500);
  assert.doesNotMatch(text, /select|users|\.ts/);
  const { errorId } = JSON.parse(text) as { errorId: string };
  assert.equal(shop.lines.filter((line) => line.fields.errorId === errorId).length, 1);
});

test('an error asks to come later in whole seconds', async () => {
  await using shop = await serveShop({
    getOrder: () => Promise.reject(kernelErrors.QUEUE_FULL({ queue: 'q' }, { afterMs: 1200 })),
  });
  const response = await fetch(`${shop.url}/v1/orders/o1`);
  await response.text();
  assert.deepEqual([response.status, response.headers.get('retry-after')], [429, '2']);
});

test('an authenticator that fails is a 500, also where nobody must sign in', async () => {
  const authenticate = () => Promise.reject(new Error('no keys'));
  await using shop = await serveShop({}, { authenticate });
  for (const path of ['/v1/orders/o1', '/v1/users/u/orders'])
    assert.equal((await fetch(`${shop.url}${path}`)).status, 500);
});

test('a client that goes away cancels its call', async () => {
  const canceled = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  await using shop = await serveShop({
    getOrder: (ctx) => {
      ctx.signal.addEventListener('abort', () => canceled.resolve(ctx.signal.reason.reason));
      started.resolve();
      return new Promise(() => {});
    },
  });
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1');
  socket.write('GET /v1/orders/o1 HTTP/1.1\r\nhost: x\r\n\r\n');
  await started.promise;
  socket.destroy();
  assert.equal(await canceled.promise, 'SOUK_CANCELED');
});

test('a handler that hangs is answered for when the server\u2019s time is over', async () => {
  await using shop = await serveShop({ getOrder: () => new Promise(() => {}) }, { maxTimeoutMs: 30 });
  const response = await fetch(`${shop.url}/v1/orders/o1`);
  assert.deepEqual(
    [response.status, ((await response.json()) as { code: string }).code],
    [504, 'SOUK_DEADLINE_EXCEEDED'],
  );
});

test('other protocols are served after ours', async () => {
  const health: HttpProtocol = (verb, path) =>
    verb === 'GET' && path === '/health/live'
      ? {
          route: path,
          handle: async () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' }),
          fail: () => ({ status: 500, headers: {} }),
        }
      : undefined;
  await using shop = await serveShop({}, { protocols: [health] });
  assert.equal(await (await fetch(`${shop.url}/health/live`)).text(), 'ok');
  assert.equal((await fetch(`${shop.url}/v1/orders/o1`)).status, 200);
});

test('a connection is counted once, whatever the number of its requests', async () => {
  await using shop = await serveShop();
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1');
  for (let sent = 0; sent < 3; sent++) {
    socket.write('GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
  }
  assert.deepEqual(
    shop.series.filter((series) => series.startsWith('active_connections')),
    ['active_connections{}'],
  );
  socket.destroy();
});

test('requests that follow each other on one connection are all answered', async () => {
  await using shop = await serveShop();
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1');
  const one = 'POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
  const two = 'GET /v1/orders/o1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  socket.write(one + two);
  let text = '';
  for await (const chunk of socket) text += chunk;
  assert.deepEqual(text.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 401', 'HTTP/1.1 200']);
});
