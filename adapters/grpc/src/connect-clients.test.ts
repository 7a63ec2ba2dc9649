import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import {
  createGrpcWebTransport as createWebGrpcWebTransport,
  createConnectTransport as createWebTransport,
} from '@connectrpc/connect-web';
import { SoukError } from '@souk/kernel';
import { EchoService } from '../test/echo.ts';
import { type EchoServer, serveEcho } from '../test/server.ts';

type Made = readonly [name: string, make: (server: EchoServer) => Transport];

const packed = { sendCompression: compressionGzip, acceptCompression: [compressionBrotli], compressMinBytes: 10 };

/** Clients that can do everything. */
const http2: readonly Made[] = [true, false].flatMap((useBinaryFormat): Made[] => {
  const format = useBinaryFormat ? 'protobuf' : 'JSON';
  const base = (server: EchoServer) => ({
    baseUrl: `http://${server.http2}`,
    httpVersion: '2' as const,
    useBinaryFormat,
  });
  return [
    [`Connect, ${format}, HTTP/2`, (server) => createConnectTransport(base(server))],
    [`gRPC, ${format}, HTTP/2`, (server) => createGrpcTransport(base(server))],
    [`gRPC-Web, ${format}, HTTP/2`, (server) => createGrpcWebTransport(base(server))],
    [`Connect, ${format}, HTTP/2, compressed`, (server) => createConnectTransport({ ...base(server), ...packed })],
    [`gRPC, ${format}, HTTP/2, compressed`, (server) => createGrpcTransport({ ...base(server), ...packed })],
  ];
});
/** Clients that cannot speak while they hear. */
const http1: readonly Made[] = [
  ['Connect, HTTP/1.1', ({ http1: at }) => createConnectTransport({ baseUrl: `http://${at}`, httpVersion: '1.1' })],
  ['gRPC-Web, HTTP/1.1', ({ http1: at }) => createGrpcWebTransport({ baseUrl: `http://${at}`, httpVersion: '1.1' })],
];
/** Clients of browsers, here with the `fetch` of Node. */
const web: readonly Made[] = [
  ['Connect of browsers', ({ http1: at }) => createWebTransport({ baseUrl: `http://${at}` })],
  [
    'Connect of browsers, protobuf',
    ({ http1: at }) => createWebTransport({ baseUrl: `http://${at}`, useBinaryFormat: true }),
  ],
  ['gRPC-Web of browsers', ({ http1: at }) => createWebGrpcWebTransport({ baseUrl: `http://${at}` })],
];

const connect = (transport: Transport): Client<typeof EchoService> => createClient(EchoService, transport);
async function* texts(...all: string[]) {
  for (const text of all) yield { text };
}
const failure = (work: Promise<unknown>): Promise<ConnectError> =>
  work.then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => ConnectError.from(thrown),
  );

test('the official clients are served, each kind of call that they can make', async () => {
  await using server = await serveEcho();
  const long = 'x'.repeat(5000);
  for (const [name, make] of [...http2, ...http1, ...web]) {
    const echo = connect(make(server));
    assert.equal((await echo.say({ text: long })).text, long, name);
    const counted = await Array.fromAsync(echo.count({ text: long, times: 3 }));
    assert.deepEqual(
      counted.map(({ number, text }) => [number, text.length]),
      [
        [1n, 5000],
        [2n, 5000],
        [3n, 5000],
      ],
      name,
    );
  }
  for (const [name, make] of [...http2, ...http1]) {
    assert.equal((await connect(make(server)).join(texts('a', 'b'))).text, 'a b', name);
  }
  for (const [name, make] of http2) {
    const talk = await Array.fromAsync(connect(make(server)).talk(texts('a', long)));
    assert.deepEqual(
      talk.map(({ text }) => text),
      ['a', long],
      name,
    );
  }
});

test('the official clients read errors and their details, before and in the middle of a stream', async () => {
  const thrown = new SoukError({
    code: 'aborted',
    reason: 'ECHO_HOARSE',
    message: 'too loud: 100 %, ünd',
    retry: { kind: 'never' },
    details: { volume: '11' },
  });
  await using server = await serveEcho({
    say: () => Promise.reject(thrown),
    count: async function* (_ctx, { times }) {
      if (times > 0) yield {};
      throw thrown;
    },
  });
  for (const [name, make] of [...http2, ...http1, ...web]) {
    const echo = connect(make(server));
    for (const work of [
      () => echo.say({ text: 'x' }),
      () => Array.fromAsync(echo.count({ text: 'x' })),
      () => Array.fromAsync(echo.count({ text: 'x', times: 1 })),
    ]) {
      const error = await failure(work());
      assert.equal(error.code, Code.Aborted, name);
      assert.equal(error.rawMessage, thrown.message, name);
      assert.deepEqual(
        error.details.map((detail) => ('type' in detail ? detail.type : '')),
        ['google.rpc.ErrorInfo'],
        name,
      );
    }
    const invalid = await failure(Array.fromAsync(echo.count({ text: '' })));
    assert.equal(invalid.code, Code.InvalidArgument, name);
  }
});

test('deadlines and cancellation of the official clients reach the handler', async () => {
  const left: number[] = [];
  let ended = 0;
  await using server = await serveEcho({
    count: async function* (ctx) {
      left.push(ctx.remainingMs());
      try {
        yield {};
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      } finally {
        ended += 1;
      }
    },
  });
  const made = [...http2.filter(([name]) => name.includes('protobuf')), ...http1, ...web];
  for (const [index, [name, make]] of made.entries()) {
    const echo = connect(make(server));
    // Connected before, so that the time is for the call alone.
    await echo.say({ text: 'x' });
    const late = await failure(Array.fromAsync(echo.count({ text: 'x' }, { timeoutMs: 300 })));
    assert.equal(late.code, Code.DeadlineExceeded, name);
    assert.ok(left.at(-1)! > 0 && left.at(-1)! <= 300, `${name} ${left.at(-1)}`);
    const over = new AbortController();
    const cut = failure(
      (async () => {
        for await (const _said of echo.count({ text: 'x' }, { signal: over.signal })) over.abort();
      })(),
    );
    assert.equal((await cut).code, Code.Canceled, name);
    while (ended < 2 * (index + 1)) await new Promise((resolve) => setImmediate(resolve));
  }
});

test('who may not call is refused, and nobody can say that they are signed in', async () => {
  await using server = await serveEcho();
  for (const [name, make] of [...http2, ...http1, ...web]) {
    const echo = connect(make(server));
    assert.equal((await failure(Array.fromAsync(echo.inside({ text: 'x' })))).code, Code.Unauthenticated, name);
    const headers = { authorization: 'Bearer anna', 'idempotency-key': 'k' };
    assert.equal((await echo.pay({ text: 'x' }, { headers })).text, 'anna k x', name);
    assert.equal(
      (await failure(Array.fromAsync(echo.inside({ text: 'x' }, { headers })))).code,
      Code.PermissionDenied,
      name,
    );
  }
});
