import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { makeCertificate } from '../test/certificate.ts';
import { createHttpServer, type TlsOptions } from './index.ts';

async function listening(t: TestContext, drainMs?: number, tls?: TlsOptions) {
  const runtime = virtualRuntime();
  const own = { ...(drainMs && { drainMs }), ...(tls && { tls }) };
  const server = createHttpServer({ runtime, port: 0, host: '127.0.0.1', ...own });
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

const overHttp2 = async (session: ClientHttp2Session, path = '/') => {
  const stream = session.request({ ':path': path });
  stream.setEncoding('utf8');
  const { promise: cut, reject } = Promise.withResolvers<never>();
  stream.on('close', () => reject(new Error('cut')));
  const [headers] = await Promise.race([once(stream, 'response'), cut]);
  let body = '';
  for await (const chunk of stream) body += chunk;
  return { status: headers[':status'] as number, headers, body };
};

test('one port serves HTTP/1.1 and HTTP/2, whatever the pieces in which the preface comes', async (t) => {
  const { server, ask, url } = await listening(t);
  server.serve((request, response) => void response.end(`${request.httpVersion} ${request.url}`));
  assert.equal((await ask()).body, '1.1 /');
  const session = connectHttp2(url());
  assert.equal((await overHttp2(session, '/x')).body, '2.0 /x');
  session.close();

  const proxy = createServer((client) => {
    const upstream = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    upstream.pipe(client);
    client.on('error', () => {});
    upstream.on('error', () => {});
    client.on('close', () => upstream.destroy());
    client.on('data', async (chunk: Buffer) => {
      client.pause();
      for (const byte of chunk) {
        await new Promise((resolve) => upstream.write(Uint8Array.of(byte), resolve));
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.resume();
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const inPieces = connectHttp2(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  assert.equal((await overHttp2(inPieces, '/y')).body, '2.0 /y');
  inPieces.destroy();
  proxy.close();
});

test('a POST that is larger than one packet comes whole, though its first bytes were looked at', async (t) => {
  const { server, url } = await listening(t);
  server.serve((request, response) => {
    let length = 0;
    request.on('data', (chunk) => {
      length += chunk.length;
    });
    request.on('end', () => response.end(String(length)));
  });
  const response = await fetch(url(), { method: 'POST', body: 'x'.repeat(1_000_000) });
  assert.equal(await response.text(), '1000000');
});

test('drain tells HTTP/2 clients to go away and lets what they have begun end', async (t) => {
  const { runtime, server, url } = await listening(t);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  server.serve((_request, response) => {
    begin();
    void mayEnd.then(() => response.end('done'));
  });
  const session = connectHttp2(url());
  const underWay = overHttp2(session);
  await begun;
  const away = once(session, 'goaway');
  let drained = false;
  const drain = server.drain().then(() => {
    drained = true;
  });
  const [code] = await away;
  assert.equal(code, constants.NGHTTP2_NO_ERROR);
  assert.equal(drained, false);
  end();
  assert.equal((await underWay).body, 'done');
  while (!drained) await runtime.advance(100);
  await drain;
});

test('an HTTP/2 request that is still there when the time is over is cut', async (t) => {
  const { runtime, server, url } = await listening(t, 2000);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.serve(() => begin());
  const session = connectHttp2(url());
  session.on('error', () => {});
  const hanging = assert.rejects(overHttp2(session));
  await begun;
  const drained = server.drain();
  await runtime.advance(2000);
  await drained;
  await hanging;
  assert.equal(runtime.pendingTimers, 0);
});

test('an HTTP/2 request that does not come to its end is cut, unless it is being answered', async (t) => {
  const { runtime, server, url } = await listening(t);
  server.serve((request, response) => {
    if (request.url === '/talk') response.writeHead(200).flushHeaders();
  });
  const session = connectHttp2(url());
  const slow = session.request({ ':path': '/slow', ':method': 'POST' });
  const talk = session.request({ ':path': '/talk', ':method': 'POST' });
  slow.on('error', () => {});
  await once(talk, 'response');
  const cut = once(slow, 'close');
  await runtime.advance(62_000);
  await cut;
  assert.equal(slow.rstCode, constants.NGHTTP2_CANCEL);
  assert.equal(talk.destroyed, false);
  session.destroy();
});

test('a client that says nothing is not waited for', async (t) => {
  const { runtime, server } = await listening(t);
  const silent = connect(server.port, '127.0.0.1');
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  silent.write('PR');
  silent.resume();
  await new Promise((resolve) => setImmediate(resolve));
  // The server hears of the connection when the event loop lets it.
  while (!silent.destroyed) {
    await runtime.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
});

test('a connection that somebody else has accepted is served and drained like its own', async () => {
  const runtime = virtualRuntime();
  const server = createHttpServer({ runtime, port: 0, host: '127.0.0.1' });
  server.serve((request, response) => void response.end(request.httpVersion));
  const elsewhere = createServer({ pauseOnConnect: true }, (socket: Socket) => server.accept(socket));
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  assert.equal(await (await fetch(url)).text(), '1.1');
  const session = connectHttp2(url);
  assert.equal((await overHttp2(session)).body, '2.0');
  const away = once(session, 'goaway');
  let drained = false;
  const drain = server.drain().then(() => {
    drained = true;
  });
  await away;
  while (!drained) await runtime.advance(100);
  await drain;
  elsewhere.close();
});

test('no bytes whatever stop the server', async (t) => {
  const { server, ask } = await listening(t);
  server.serve((request, response) => {
    request.resume();
    request.on('error', () => {});
    response.end('x');
  });
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const frame = fc
    .record({
      payload: fc.uint8Array({ maxLength: 60 }),
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 255 }),
      stream: fc.integer({ min: 0, max: 5 }),
    })
    .map(({ payload, type, flags, stream }) =>
      Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload]),
    );
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((each) => Buffer.from(each)),
    fc.array(frame, { maxLength: 8 }).map((frames) => Buffer.concat([preface, settings, ...frames])),
    fc.string({ maxLength: 200 }).map((text) => Buffer.from(`POST / HTTP/1.1\r\nhost: x\r\n${text}\r\n\r\n${text}`)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      const closed = once(socket, 'close').catch(() => {});
      socket.end(sent);
      for (let turn = 0; turn < 20 && !socket.destroyed; turn++) await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      await closed;
    }),
    { numRuns: 150 },
  );
  assert.equal((await ask()).body, 'x');
});

test('over TLS the client chooses HTTP/1.1 or HTTP/2, and one that speaks no TLS is let go', async (t) => {
  const { key, cert } = makeCertificate();
  const { server, runtime } = await listening(t, 2000, { key, cert });
  server.serve((request, response) => void response.end(request.httpVersion));
  const address = `https://127.0.0.1:${server.port}`;
  const session = connectHttp2(address, { ca: cert });
  assert.equal((await overHttp2(session)).body, '2.0');
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: cert, ALPNProtocols: ['http/1.1'] });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.match(text, /^HTTP\/1\.1 200.*1\.1$/s);
  const plain = connect(server.port, '127.0.0.1');
  plain.resume();
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await once(plain, 'close');
  const away = once(session, 'goaway');
  let drained = false;
  const drain = server.drain().then(() => {
    drained = true;
  });
  await away;
  while (!drained) await runtime.advance(100);
  await drain;
});

test('a client without the certificate that is demanded gets nothing', async (t) => {
  const { key, cert } = makeCertificate();
  const { server } = await listening(t, 2000, { key, cert, ca: cert, requestClientCert: true });
  server.serve((_request, response) => void response.end('x'));
  const address = `https://127.0.0.1:${server.port}`;
  const known = connectHttp2(address, { ca: cert, key, cert });
  assert.equal((await overHttp2(known)).body, 'x');
  known.destroy();
  const unknown = connectHttp2(address, { ca: cert });
  unknown.on('error', () => {});
  await assert.rejects(overHttp2(unknown));
});
