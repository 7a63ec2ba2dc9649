import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Context, SoukError } from '@souk/kernel';
import { isNotSent, type Transport, type WireRequest } from '@souk/rpc';
import { makeCertificates } from '../test/certificates.ts';
import { EchoService } from '../test/echo.ts';
import { connectTo, reasonOf, serve, serveBytes, serveEcho, stop } from '../test/servers.ts';

const EchoSchema = EchoService.method.get.input;
const text = (bytes: number): string => 'x'.repeat(bytes);

const sending = (transport: Transport, more: Partial<WireRequest> = {}) =>
  transport.send({
    ...{ method: 'echo.v1.EchoService/Get', headers: {}, codec: 'proto', timeoutMs: 2000, signal: undefined },
    body: toBinary(EchoSchema, create(EchoSchema, { number: 5 })),
    ...more,
  });

test('what was sent comes back, on one connection when calls follow each other', async () => {
  await using server = await serveEcho();
  await using client = connectTo(server.target);
  let connections = 0;
  server.server.on('connection', () => connections++);
  for (let number = 0; number < 20; number++) {
    const answer = await client.echo.get(client.ctx, { text: 'grüß', number, payload: Uint8Array.of(0, 255) });
    assert.deepEqual([answer.text, answer.number, [...answer.payload]], ['grüß', number, [0, 255]]);
  }
  assert.equal((await client.echo.get(client.ctx, {})).text, '');
  assert.equal(connections, 1);
});

test('a body of many packets arrives whole, both ways', async () => {
  await using server = await serveEcho();
  await using client = connectTo(server.target);
  const payload = new Uint8Array(900_000).map((_, at) => at % 251);
  const answer = await client.echo.get(client.ctx, { payload });
  assert.ok(Buffer.from(answer.payload).equals(payload));
});

test('an error keeps every fact but its cause', async () => {
  const thrown = new SoukError({
    code: 'resource_exhausted',
    reason: 'ECHO_BUSY',
    message: 'too much at once',
    retry: { kind: 'never' },
    httpStatus: 429,
    violations: [{ pointer: '/text', detail: 'must be shorter' }],
    details: { queue: 'echo' },
    cause: new Error('secret'),
  });
  await using server = await serveEcho({ change: () => Promise.reject(thrown) });
  await using client = connectTo(server.target);
  const error = await client.echo.change(client.ctx, {}).then(
    () => assert.fail(),
    (each: SoukError) => each,
  );
  for (const key of ['code', 'reason', 'message', 'retry', 'httpStatus', 'violations', 'details'] as const)
    assert.deepEqual(error[key], thrown[key], key);
  assert.equal(error.cause, undefined);
});

test('deadline, trace, wishes and what proves the caller go along; the caller itself does not', async () => {
  const seen: Context[] = [];
  const heads: unknown[] = [];
  await using server = await serveEcho({
    get: async (ctx) => {
      seen.push(ctx);
      return {};
    },
  });
  server.server.on('request', ({ headers }) => heads.push(headers.authorization));
  await using client = connectTo(server.target, {
    headers: ({ caller }) => ({ authorization: `Souk ${caller?.userId}` }),
  });
  const trace = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: false, tracestate: 'a=b' };
  const ctx = client.ctx.with({
    ...{ timeoutMs: 700, trace, caller: { userId: 'anna', roles: ['admin'] } },
    routing: { version: '2.0.0', affinity: 'anna' },
  });
  await client.echo.get(ctx, {});
  assert.ok(seen[0] && seen[0].remainingMs() <= 700 && seen[0].deadlineMs !== Number.POSITIVE_INFINITY);
  assert.equal(seen[0].trace.traceId, trace.traceId);
  assert.deepEqual(seen[0].routing, { version: '2.0.0', affinity: 'anna' });
  assert.deepEqual(seen[0].caller, { roles: [], service: 'test' });
  assert.deepEqual(heads, ['Souk anna']);
});

test('no more connections than allowed are made, and further calls wait for one', async () => {
  const go = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  let atWork = 0;
  let most = 0;
  await using server = await serveEcho({
    get: async (_ctx, { number }) => {
      most = Math.max(most, ++atWork);
      if (atWork === 4) full.resolve();
      await go.promise;
      atWork--;
      return { number };
    },
  });
  await using client = connectTo(server.target, { connectionsPerInstance: 4, maxWaiting: 6 });
  const calls = Array.from({ length: 10 }, (_, number) => client.echo.get(client.ctx, { number }));
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_NOT_SENT');
  await full.promise;
  go.resolve();
  assert.deepEqual(
    (await Promise.all(calls)).map(({ number }) => number),
    [...calls.keys()],
  );
  assert.equal(most, 4);
});

test('a call that waits for a connection leaves the queue when its time is over or its caller gives up', async () => {
  await using server = await serveEcho({ get: () => new Promise(() => {}) });
  await using client = connectTo(server.target, { connectionsPerInstance: 1, maxWaiting: 2 });
  const blocking = reasonOf(client.echo.get(client.ctx.with({ timeoutMs: 300 }), {}));
  const gone = new AbortController();
  const waiting = [
    reasonOf(sending(client.transport, { timeoutMs: 50 })),
    reasonOf(sending(client.transport, { signal: gone.signal })),
  ];
  gone.abort();
  assert.deepEqual(await Promise.all(waiting), ['SOUK_DEADLINE_EXCEEDED', 'SOUK_CANCELED']);
  // Both places are free again.
  const others = [7, 8].map((number) => client.echo.change(client.ctx, { number }));
  assert.equal(await blocking, 'SOUK_DEADLINE_EXCEEDED');
  assert.deepEqual(
    (await Promise.all(others)).map(({ number }) => number),
    [7, 8],
  );
});

test('a server that is too slow is given up at the deadline, and sees that nobody waits', async () => {
  const left = Promise.withResolvers<string>();
  await using server = await serveEcho({
    change: (ctx) => {
      ctx.signal.addEventListener('abort', () => left.resolve('left'));
      return new Promise(() => {});
    },
  });
  await using client = connectTo(server.target);
  const started = performance.now();
  const reason = await reasonOf(client.echo.change(client.ctx.with({ timeoutMs: 100 }), {}));
  assert.equal(reason, 'SOUK_DEADLINE_EXCEEDED');
  assert.ok(performance.now() - started < 2000);
  assert.equal(await left.promise, 'left');
  assert.equal((await client.echo.get(client.ctx, { number: 1 })).number, 1);
});

test('a caller who gives up ends the call, also before it was sent', async () => {
  const begun = Promise.withResolvers<void>();
  await using server = await serveEcho({
    change: () => {
      begun.resolve();
      return new Promise(() => {});
    },
  });
  await using client = connectTo(server.target);
  for (const wait of [begun.promise, undefined]) {
    const gone = new AbortController();
    const call = reasonOf(client.echo.change(client.ctx.with({ signal: gone.signal }), {}));
    await wait;
    gone.abort();
    assert.equal(await call, 'SOUK_CANCELED');
  }
  assert.equal((await client.echo.get(client.ctx, { number: 1 })).number, 1);
});

test('where nobody listens, nothing was sent', async () => {
  const { target, server } = await serveEcho();
  await stop(server);
  await using client = connectTo(target);
  const error = await sending(client.transport).catch((each: unknown) => each);
  assert.ok(isNotSent(error), String(error));
});

test('a server that says that it is not ready has not seen the call', async () => {
  const body = JSON.stringify({ code: 'HOST_NOT_READY', status: 503 });
  await using server = await serve((_request, response) =>
    response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' }).end(body),
  );
  await using client = connectTo(server.target);
  assert.ok(isNotSent(await sending(client.transport).catch((each: unknown) => each)));
});

test('what another process could not send is not taken for unsent', async () => {
  const thrown = new SoukError({
    ...{ code: 'unavailable', reason: 'RPC_NOT_SENT', message: 'stock cannot be reached', retry: { kind: 'later' } },
  });
  await using server = await serveEcho({ get: () => Promise.reject(thrown) });
  await using client = connectTo(server.target);
  const error = (await sending(client.transport).catch((each: unknown) => each)) as SoukError;
  assert.equal(error.reason, 'RPC_NOT_SENT');
  assert.equal(isNotSent(error), false);
});

test('a server that dies during a call leaves its outcome unknown', async () => {
  const begun = Promise.withResolvers<void>();
  await using server = await serveEcho({
    change: () => {
      begun.resolve();
      return new Promise(() => {});
    },
  });
  await using client = connectTo(server.target);
  const call = client.echo.change(client.ctx, {}).then(
    () => assert.fail(),
    (error: SoukError) => error,
  );
  await begun.promise;
  await stop(server.server);
  const error = await call;
  assert.deepEqual([error.reason, error.retry.kind], ['RPC_UNREACHABLE', 'unknownOutcome']);
});

test('what may be repeated survives that its idle connection is closed just then, what may not is sent once', async () => {
  let requests = 0;
  await using server = await serve((request, response) => {
    requests++;
    // The second request of a connection meets a server that has just decided to close it.
    const socket = request.socket as typeof request.socket & { seen?: boolean };
    if (socket.seen) socket.destroy();
    else response.writeHead(200, { 'content-type': 'application/proto' }).end();
    socket.seen = true;
  });
  await using client = connectTo(server.target);
  await sending(client.transport);
  await sending(client.transport, { repeatable: true });
  assert.equal(requests, 3);
  assert.equal(await reasonOf(sending(client.transport)), 'RPC_UNREACHABLE');
  assert.equal(requests, 4);
});

test('no call that may be repeated fails while the server closes idle connections all the time', async () => {
  await using server = await serveEcho();
  let closed = 0;
  const atWork = new Map<Socket, number>();
  server.server.on('request', ({ socket }, response) => {
    const request = (atWork.get(socket) ?? 0) + 1;
    atWork.set(socket, request);
    // Every eighth answer is followed by a close, unless another request has been seen by then: it may be on its way all the same.
    if (request % 8 !== 0) return;
    response.once('finish', () =>
      setImmediate(() => {
        if (atWork.get(socket) !== request) return;
        closed++;
        socket.destroy();
      }),
    );
  });
  await using client = connectTo(server.target, { connectionsPerInstance: 16 });
  const failed: string[] = [];
  let next = 0;
  const caller = async () => {
    while (next < 10_000) {
      const number = next++;
      const answer = client.echo.get(client.ctx, { number }, { timeoutMs: 5000 });
      const reason = await reasonOf(answer);
      if (reason !== 'ok') failed.push(reason);
      else assert.equal((await answer).number, number);
    }
  };
  await Promise.all(Array.from({ length: 32 }, caller));
  assert.deepEqual(failed, []);
  assert.ok(closed > 500, String(closed));
});

test('a connection that the server will close after its answer takes no further call', async () => {
  await using server = await serve((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/proto', connection: 'close' }).end(),
  );
  await using client = connectTo(server.target);
  for (let sent = 0; sent < 50; sent++) await sending(client.transport);
});

test('closing lets calls under way end, closes what is idle at once, and takes nothing new', async () => {
  const go = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using server = await serveEcho({
    change: async () => {
      begun.resolve();
      await go.promise;
      return { number: 3 };
    },
  });
  await using client = connectTo(server.target);
  const call = client.echo.change(client.ctx, {});
  await begun.promise;
  const [socket] = await Promise.all([once(server.server, 'connection'), client.echo.get(client.ctx, {})]);
  const idleClosed = once(socket[0], 'close');
  let closed = false;
  const closing = client.transport.close().then(() => {
    closed = true;
  });
  await idleClosed;
  assert.equal(closed, false);
  assert.equal(await reasonOf(sending(client.transport)), 'RPC_NOT_SENT');
  go.resolve();
  assert.equal((await call).number, 3);
  await closing;
});

const head = (more: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${more}\r\n`;
const OK = 'content-type: application/proto\r\n';

for (const [what, answer, reason] of [
  ['is no HTTP', 'hello\r\n\r\n', 'RPC_BAD_ANSWER'],
  ['is of another type', head('content-type: text/html\r\ncontent-length: 0\r\n'), 'RPC_BAD_ANSWER'],
  [
    'is compressed by nobody knows what',
    `${head(`${OK}content-encoding: br\r\ncontent-length: 1\r\n`)}x`,
    'RPC_BAD_ANSWER',
  ],
  ['is compressed wrongly', `${head(`${OK}content-encoding: gzip\r\ncontent-length: 1\r\n`)}x`, 'RPC_BAD_ANSWER'],
  ['is no message', `${head(`${OK}content-length: 2\r\n`)}\xff\xff`, 'RPC_BAD_ANSWER'],
  ['is announced as too large', `${head(`${OK}content-length: 2000000\r\n`)}x`, 'RPC_ANSWER_TOO_LARGE'],
  [
    'grows too large',
    `${head(`${OK}transfer-encoding: chunked\r\n`)}1e8480\r\n${text(2_000_000)}\r\n0\r\n\r\n`,
    'RPC_ANSWER_TOO_LARGE',
  ],
  ['has a head without end', head(`${OK}x-y: ${text(40_000)}\r\n`), 'RPC_BAD_ANSWER'],
  [
    'is an error page of a proxy',
    `${head('content-type: text/html\r\ncontent-length: 5\r\n', '502 Bad Gateway')}sorry`,
    'RPC_REMOTE_UNAVAILABLE',
  ],
  [
    'is an error of no known kind',
    `${head('content-type: application/json\r\ncontent-length: 4\r\n', '418 Teapot')}null`,
    'RPC_REMOTE_UNKNOWN',
  ],
] as const) {
  test(`an answer that ${what} is refused, and the next call is served`, async () => {
    let answers = 0;
    await using server = await serveBytes((socket) => {
      answers++;
      socket.write(answers === 1 ? Buffer.from(answer, 'latin1') : `${head(`${OK}content-length: 2\r\n`)}\x10\x05`);
    });
    await using client = connectTo(server.target, { maxAnswerBytes: 1_000_000 });
    assert.equal(await reasonOf(client.echo.change(client.ctx, {})), reason);
    assert.equal((await client.echo.change(client.ctx, {})).number, 5);
  });
}

test('an answer that is cut off leaves the outcome unknown', async () => {
  await using server = await serveBytes((socket) => socket.end(`${head(`${OK}content-length: 10\r\n`)}abc`));
  await using client = connectTo(server.target);
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_UNREACHABLE');
});

test('a header that HTTP does not allow is the caller\u2019s fault, and the connection stays', async () => {
  await using server = await serveEcho();
  await using client = connectTo(server.target);
  await client.echo.get(client.ctx, {});
  const bad = client.echo.change(client.ctx, {}, { idempotencyKey: 'a\r\nb: c' });
  assert.equal(await reasonOf(bad), 'RPC_BAD_CALL');
  assert.equal((await client.echo.get(client.ctx, { number: 2 })).number, 2);
});

test('large bodies are compressed where that is wanted, and compressed answers are read up to the limit', async () => {
  const encodings: unknown[] = [];
  const answer = (number: number) => gzipSync(toBinary(EchoSchema, create(EchoSchema, { number, text: text(5000) })));
  let bytes: Uint8Array = answer(9);
  await using server = await serve((request, response) => {
    encodings.push([request.headers['content-encoding'], request.headers['accept-encoding']]);
    request.resume();
    response.writeHead(200, { 'content-type': 'application/proto', 'content-encoding': 'gzip' }).end(bytes);
  });
  await using client = connectTo(server.target, { compressFromBytes: 1000, maxAnswerBytes: 10_000 });
  assert.equal((await client.echo.get(client.ctx, { text: text(2000) })).number, 9);
  assert.equal((await client.echo.get(client.ctx, { text: 'short' })).number, 9);
  assert.deepEqual(encodings, [
    ['gzip', 'gzip'],
    [undefined, 'gzip'],
  ]);
  bytes = gzipSync(Buffer.alloc(10_001));
  assert.equal(await reasonOf(client.echo.get(client.ctx, {})), 'RPC_ANSWER_TOO_LARGE');
});

test('both sides prove who they are by certificates', async () => {
  const { ca, cert, key } = makeCertificates();
  const other = makeCertificates();
  await using server = await serveEcho({}, { ca, cert, key, requestCert: true, rejectUnauthorized: true });
  await using client = connectTo(server.target, { tls: { ca, cert, key, servername: 'localhost' } });
  assert.equal((await client.echo.get(client.ctx, { number: 4 })).number, 4);
  for (const tls of [
    { ca: other.ca, cert, key },
    { ca, cert, key, servername: 'payments' },
  ]) {
    await using stranger = connectTo(server.target, { tls });
    assert.equal(await reasonOf(stranger.echo.change(stranger.ctx, {})), 'RPC_NOT_SENT');
  }
  for (const tls of [{ ca }, { ca, cert: other.cert, key: other.key }]) {
    await using stranger = connectTo(server.target, { tls });
    assert.equal(await reasonOf(stranger.echo.change(stranger.ctx, {})), 'RPC_UNREACHABLE');
  }
});
