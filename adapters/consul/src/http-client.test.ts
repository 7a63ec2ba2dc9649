import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { UP } from '@souk/discovery';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { createConsulRegistry } from './consul-registry.ts';
import { createHttpClient } from './http-client.ts';
import { type ConsulRegistryOptions, toSettings } from './options.ts';

const runtime = systemRuntime();

const clientFor = (port: number, more: Partial<ConsulRegistryOptions> = {}) =>
  createHttpClient(toSettings({ url: `http://127.0.0.1:${port}`, runtime, log: silentLogger, ...more }));

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

async function serve(t: TestContext, listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

/** A server that says what the test wants on a bare socket. */
async function serveSocket(t: TestContext, onSocket: (socket: Socket, count: number) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    onSocket(socket, sockets.size);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

const get = { method: 'GET', path: '/v1/agent/self' } as const;
const unreachable = (why: RegExp) => (error: Error & { reason?: string }) => {
  assert.equal(error.reason, 'CONSUL_UNREACHABLE');
  assert.match(error.message, why);
  return true;
};

test('one socket carries many calls, with token, query and body', async (t) => {
  const seen: unknown[] = [];
  let connections = 0;
  const server = await serve(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      seen.push([request.method, request.url, request.headers['x-consul-token'], Buffer.concat(chunks).toString()]);
      response.writeHead(200, { 'x-consul-index': '7', 'retry-after': '2' }).end('"ü"');
    });
  });
  server.on('connection', () => connections++);
  const client = clientFor(portOf(server), { token: 'secret' });
  const answer = await client.send({ ...get, query: { dc: 'a b', none: undefined } });
  assert.deepEqual(answer, { status: 200, text: '"ü"', index: '7', retryAfterMs: 2000 });
  await client.send({ method: 'PUT', path: '/v1/x', body: { a: 'ü' } });
  assert.deepEqual(seen, [
    ['GET', '/v1/agent/self?dc=a+b', 'secret', ''],
    ['PUT', '/v1/x', 'secret', '{"a":"ü"}'],
  ]);
  assert.equal(connections, 1);
  client.close();
});

test('a path in the URL comes before that of the call', async (t) => {
  const server = await serve(t, (request, response) => response.end(request.url));
  const url = `http://127.0.0.1:${portOf(server)}/registry/`;
  const client = createHttpClient(toSettings({ url, runtime, log: silentLogger }));
  assert.equal((await client.send(get)).text, '/registry/v1/agent/self');
  client.close();
});

test('nobody at the port, a server that hangs, and a call that is given up end as unreachable', async (t) => {
  const port = await serveSocket(t, () => {});
  const client = clientFor(port, { requestMs: 30 });
  await assert.rejects(client.send(get), unreachable(/no answer within 30 ms/));
  const controller = new AbortController();
  const given = client.send({ ...get, timeoutMs: 10_000, signal: controller.signal });
  controller.abort();
  await assert.rejects(given, unreachable(/given up/));
  await assert.rejects(client.send({ ...get, signal: controller.signal }), unreachable(/given up/));
  client.close();
  const closing = createTcpServer().listen(0, '127.0.0.1');
  await once(closing, 'listening');
  const gone = portOf(closing);
  closing.close();
  await once(closing, 'close');
  await assert.rejects(clientFor(gone).send(get), unreachable(/ECONNREFUSED/));
});

test('an answer that stops in the middle, is too long or is no HTTP ends as unreachable', async (t) => {
  const said = [
    ['HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', /no answer within 50 ms|aborted/],
    [`HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n${'x'.repeat(5000)}`, /more than 1000 bytes/],
    ['SSH-2.0-OpenSSH_9.2\r\n', /Parse Error|Expected HTTP/],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', /Parse Error|chunk/i],
  ] as const;
  for (const [text, why] of said) {
    const port = await serveSocket(t, (socket) => socket.once('data', () => socket.write(text)));
    const client = clientFor(port, { requestMs: 50, maxAnswerBytes: 1000 });
    await assert.rejects(client.send(get), unreachable(why));
    client.close();
  }
});

test('an idle socket that the server closes while it is used again is replaced', async (t) => {
  let answered = 0;
  const port = await serveSocket(t, (socket, count) => {
    socket.on('data', () => {
      // The first socket answers once; what comes next on it is reset.
      if (count === 1 && answered > 0) socket.resetAndDestroy();
      else {
        answered++;
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      }
    });
  });
  const client = clientFor(port);
  await client.send(get);
  assert.equal((await client.send(get)).text, 'ok');
  assert.equal(answered, 2);
  client.close();
});

test('a registry that hangs does not hold back a good-bye or a close for long', async (t) => {
  const port = await serveSocket(t, () => {});
  const registry = createConsulRegistry({
    ...{ url: `http://127.0.0.1:${port}`, runtime, log: silentLogger },
    requestMs: 40,
  });
  const told: unknown[] = [];
  registry.watch('orders', (instances) => told.push(instances));
  const registering = registry.register(
    {
      ...{ id: 'orders-1', service: 'orders', address: '127.0.0.1', port: 80, protocol: 'http', version: '', zone: '' },
      ...{ weight: 1, tags: [], meta: {}, incarnation: '1' },
    },
    UP,
  );
  await new Promise<void>((resolve) => {
    const look = () => (registry.health().lastError === undefined ? setImmediate(look) : resolve());
    look();
  });
  await registry.close();
  await registering;
  assert.equal(registry.health().state, 'closed');
  assert.deepEqual(told, []);
});

test('options that cannot work are refused', () => {
  const make = (more: Partial<ConsulRegistryOptions>) =>
    createConsulRegistry({ url: 'http://127.0.0.1:8500', runtime, log: silentLogger, ...more });
  const cases = [
    { url: 'consul:8500' },
    { url: 'nonsense' },
    { url: 'http://u:secret@host' },
    { ttlMs: 0 },
    { waitMs: Number.NaN },
  ];
  for (const more of cases) {
    assert.throws(
      () => make(more),
      (error: Error & { reason?: string }) => {
        assert.equal(error.reason, 'CONSUL_INVALID_OPTION');
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  }
});
