import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { test } from 'node:test';
import type { Target } from './definition.ts';
import { probe } from './probe.ts';
import { createTargetGuard } from './target-guard.ts';

const guard = createTargetGuard(['127.0.0.0/8', '::1/128']);
const ask = (target: Target, using = guard) =>
  probe(target, { signal: new AbortController().signal, guard: using, maxBytes: 20 });

async function listening(server: Server, use: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

const http = (url: string, more: Partial<Extract<Target, { kind: 'http' }>> = {}): Target => ({
  ...{ kind: 'http', url, method: 'GET', headers: {}, body: '', skipVerify: false, followRedirects: true, ...more },
});
const withHttp = (handler: RequestListener, use: (port: number) => Promise<void>) =>
  listening(createServer(handler), use);

test('HTTP: 2xx passes, 429 warns, others are critical; the output is capped and the check says who it is', async () => {
  let agent = '';
  await withHttp(
    (request, response) => {
      agent = request.headers['user-agent'] ?? '';
      response.writeHead(Number(request.url?.slice(1)));
      response.end('x'.repeat(100));
    },
    async (port) => {
      const found = async (status: number) => (await ask(http(`http://127.0.0.1:${port}/${status}`))).status;
      assert.deepEqual(await Promise.all([200, 204, 429, 404, 500].map(found)), [
        ...['passing', 'passing', 'warning', 'critical', 'critical'],
      ]);
      const { output } = await ask(http(`http://127.0.0.1:${port}/200`));
      assert.equal(output, `HTTP GET http://127.0.0.1:${port}/200: 200 OK Output: ${'x'.repeat(20)}`);
      assert.equal(agent, 'Consul Health Check');
    },
  );
});

test('HTTP: method, headers and body are sent; redirects are followed to the same host only', async () => {
  const seen: string[] = [];
  let strangers = 0;
  let stranger = 0;
  const redirecting: RequestListener = (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['x-key'] ?? ''}`);
    if (request.url === '/a') response.writeHead(302, { location: '/b' }).end();
    else if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${stranger}/` }).end();
    else response.end();
  };
  const elsewhere: RequestListener = (_request, response) => {
    strangers += 1;
    response.end();
  };
  await withHttp(elsewhere, (other) => {
    stranger = other;
    return withHttp(redirecting, async (port) => {
      const url = (path: string) => `http://127.0.0.1:${port}${path}`;
      assert.equal((await ask(http(url('/a'), { method: 'PUT', headers: { 'X-Key': ['k'] } }))).status, 'passing');
      assert.deepEqual(seen, ['PUT /a k', 'PUT /b k']);
      assert.equal((await ask(http(url('/a'), { followRedirects: false }))).status, 'critical');
      assert.equal((await ask(http(url('/away')))).status, 'critical');
    });
  });
  assert.equal(strangers, 0);
});

test('TCP: whoever accepts passes, whoever refuses is critical', async () => {
  let port = 0;
  await listening(
    createTcpServer((socket) => socket.destroy()),
    async (open) => {
      port = open;
      assert.deepEqual(await ask({ kind: 'tcp', address: `127.0.0.1:${port}` }), {
        ...{ status: 'passing', output: `TCP connect 127.0.0.1:${port}: Success` },
      });
    },
  );
  assert.equal((await ask({ kind: 'tcp', address: `127.0.0.1:${port}` })).status, 'critical');
});

test('gRPC: only SERVING passes; an unknown service is critical', async () => {
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const service = Buffer.concat(chunks).subarray(7).toString();
      assert.equal(headers[':path'], '/grpc.health.v1.Health/Check');
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': service === 'none' ? '5' : '0' }));
      if (service === 'none') stream.end();
      else stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === 'down' ? 2 : 1]));
    });
  });
  await listening(server, async (port) => {
    const grpc = (service: string) =>
      ask({ kind: 'grpc', address: `127.0.0.1:${port}${service}`, useTls: false, skipVerify: false });
    assert.deepEqual(await grpc(''), { status: 'passing', output: `gRPC check 127.0.0.1:${port}: success` });
    assert.equal((await grpc('/up')).status, 'passing');
    assert.match((await grpc('/down')).output, /NOT_SERVING/);
    assert.equal((await grpc('/none')).status, 'critical');
  });
  assert.equal(
    (await ask({ kind: 'grpc', address: '127.0.0.1:1', useTls: false, skipVerify: false })).status,
    'critical',
  );
});

test('scripts: 0 passes, 1 warns, others and what cannot run are critical', async () => {
  const script = async (...args: string[]) => (await ask({ kind: 'script', args })).status;
  assert.equal(await script('/bin/sh', '-c', 'exit 0'), 'passing');
  assert.equal(await script('/bin/sh', '-c', 'exit 1'), 'warning');
  assert.equal(await script('/bin/sh', '-c', 'exit 3'), 'critical');
  assert.equal(await script('/nowhere/to/be/found'), 'critical');
});

test('no probe reaches a network that is not named, by address, by name or in the clothes of IPv6', async () => {
  const narrow = createTargetGuard(['10.0.0.0/8']);
  await withHttp(
    (_request, response) => response.end(),
    async (port) => {
      for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '[::1]', '0x7f000001']) {
        const { status, output } = await ask(http(`http://${host}:${port}/`), narrow);
        assert.equal(status, 'critical', host);
        assert.match(output, /outside of the networks that may be probed/, host);
      }
      const tcp = await ask({ kind: 'tcp', address: `localhost:${port}` }, narrow);
      assert.match(tcp.output, /outside of the networks/);
    },
  );
  assert.throws(() => createTargetGuard(['10.0.0.0/33']), { reason: 'REGISTRY_BAD_FLAG' });
  assert.throws(() => createTargetGuard(['nonsense']), { reason: 'REGISTRY_BAD_FLAG' });
});
