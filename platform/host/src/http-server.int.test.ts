import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { createHttpServer } from './index.ts';

async function listening(t: TestContext, drainMs?: number) {
  const runtime = virtualRuntime();
  const server = createHttpServer({ runtime, port: 0, host: '127.0.0.1', ...(drainMs && { drainMs }) });
  await server.listen();
  const agent = new Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    const drained = server.drain();
    await runtime.advance(60_000);
    await drained;
  });
  const url = () => `http://127.0.0.1:${server.port}/`;
  const ask = async () => {
    const request: ClientRequest = get(url(), { agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, headers: response.headers, body };
  };
  return { runtime, server, ask, url };
}

test('until it serves, requests are told to come back', async (t) => {
  const { server, ask } = await listening(t);
  const early = await ask();
  assert.deepEqual([early.status, early.headers['retry-after']], [503, '1']);
  assert.equal(early.headers['content-type'], 'application/problem+json');
  assert.equal(JSON.parse(early.body).code, 'HOST_NOT_READY');
  server.serve((_request, response) => void response.end('hello'));
  assert.equal((await ask()).body, 'hello');
});

test('a port that is taken is named, with what to do', async (t) => {
  const { server } = await listening(t);
  const second = createHttpServer({ runtime: virtualRuntime(), port: server.port, host: '127.0.0.1' });
  await assert.rejects(second.listen(), (error: Error & { reason?: string }) => {
    assert.equal(error.reason, 'HOST_PORT_IN_USE');
    assert.match(error.message, new RegExp(`port ${server.port} .*--http\\.port`));
    return true;
  });
  await second.drain();
});

test('drain lets what is under way end, tells its connection to close, and takes nothing new', async (t) => {
  const { runtime, server, ask, url } = await listening(t);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  server.serve((_request, response) => {
    begin();
    void mayEnd.then(() => response.end('done'));
  });
  const underWay = ask();
  await begun;
  let drained = false;
  const drain = server.drain().then(() => {
    drained = true;
  });
  await runtime.advance(5000);
  assert.equal(drained, false);
  await assert.rejects(once(get(url()), 'response'), { code: 'ECONNREFUSED' });
  end();
  assert.equal((await underWay).body, 'done');
  while (!drained) await runtime.advance(100);
  await drain;
});

test('a request that comes on an open connection while draining is answered, and the connection closed', async (t) => {
  const { runtime, server } = await listening(t);
  let drain: Promise<void> | undefined;
  server.serve((_request, response) => {
    drain ??= server.drain();
    response.end('x');
  });
  const socket = connect(server.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  const request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
  socket.write(request + request);
  await once(socket, 'close');
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
  assert.match(text, /connection: close/i);
  await runtime.advance(100);
  await drain;
});

test('what is still there when the time is over is cut', async (t) => {
  const { runtime, server, ask } = await listening(t, 2000);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.serve(() => begin());
  const hanging = assert.rejects(ask(), { code: 'ECONNRESET' });
  await begun;
  const drained = server.drain();
  await runtime.advance(2000);
  await drained;
  await hanging;
  assert.equal(runtime.pendingTimers, 0);
});

test('an idle or silent connection does not hold up a drain', async (t) => {
  const { server, ask } = await listening(t);
  server.serve((_request, response) => void response.end('x'));
  await ask();
  const silent = connect(server.port, '127.0.0.1').on('error', () => {});
  await once(silent, 'connect');
  await server.drain();
  silent.destroy();
});

test('nonsense is a bad request, and the server goes on', async (t) => {
  const { server, ask } = await listening(t);
  server.serve((_request, response) => void response.end('x'));
  const socket = connect(server.port, '127.0.0.1');
  socket.write('no http at all\r\n\r\n');
  const [chunk] = await once(socket, 'data');
  assert.match(String(chunk), /^HTTP\/1\.1 400/);
  assert.equal((await ask()).status, 200);
});
