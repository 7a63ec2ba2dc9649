import assert from 'node:assert/strict';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type Context, hasReason, rootContext, SoukError, systemRuntime } from '@souk/kernel';
import { type Client, createClient, isNotSent } from '@souk/rpc';
import { EchoService } from '../test/echo.ts';
import { serveEcho, telemetry } from '../test/server.ts';
import { createGrpcTransport, type GrpcTransportOptions } from './index.ts';

const runtime = systemRuntime();
const open = (address: string, own: Partial<GrpcTransportOptions> = {}) => {
  const transport = createGrpcTransport({ baseUrl: `http://${address}`, runtime, ...own });
  const echo: Client<typeof EchoService> = createClient(EchoService, transport, { runtime, telemetry });
  return { transport, echo, [Symbol.asyncDispose]: () => transport.close() };
};
const context = (timeoutMs = 5000, signal?: AbortSignal): Context => rootContext({ runtime, timeoutMs, signal });
const failure = (work: Promise<unknown>): Promise<SoukError> =>
  work.then(
    () => assert.fail('it did not fail'),
    (error: SoukError) => error,
  );
async function* texts(...all: string[]) {
  for (const text of all) yield { text };
}

test('all four kinds of calls', async () => {
  await using server = await serveEcho();
  await using client = open(server.http2);
  const { echo } = client;
  assert.equal((await echo.say(context(), { text: 'hi' })).text, 'hi');
  const counted = await Array.fromAsync(echo.count(context(), { text: 'x', times: 3 }));
  assert.deepEqual(
    counted.map(({ number }) => number),
    [1n, 2n, 3n],
  );
  assert.equal((await echo.join(context(), texts('a', 'b'))).text, 'a b');
  const heard = await Array.fromAsync(echo.talk(context(), texts('a', 'b')));
  assert.deepEqual(
    heard.map(({ text }) => text),
    ['a', 'b'],
  );
});

test('large messages pass, compressed or not, and not over the limit', async () => {
  await using server = await serveEcho();
  await using client = open(server.http2, { compress: true, maxMessageBytes: 500_000 });
  const text = 'x'.repeat(400_000);
  const heard = await Array.fromAsync(client.echo.talk(context(), texts(text, 'small', text)));
  assert.deepEqual(
    heard.map((said) => said.text.length),
    [400_000, 5, 400_000],
  );
  const error = await failure(client.echo.say(context(), { text: 'x'.repeat(600_000) }));
  assert.equal(error.reason, 'RPC_BODY_TOO_LARGE');
});

test('every fact of an error comes back, except its cause', async () => {
  const thrown = new SoukError({
    code: 'failed_precondition',
    reason: 'ECHO_HOARSE',
    message: 'too loud: 100 %, ünd\nmore',
    retry: { kind: 'later', afterMs: 20 },
    httpStatus: 409,
    violations: [{ pointer: '/text', detail: 'must be quiet' }],
    details: { volume: '11' },
    cause: new Error('secret'),
  });
  await using server = await serveEcho({
    say: () => Promise.reject(thrown),
    talk: async function* (_ctx, requests) {
      for await (const { text } of requests) yield { text };
      throw thrown;
    },
  });
  await using client = open(server.http2);
  const facts = ({ code, reason, message, retry, httpStatus, violations, details }: SoukError) => ({
    ...{ code, reason, message, retry, httpStatus, violations, details },
  });
  const single = await failure(client.echo.say(context(), { text: 'x' }));
  const heard: string[] = [];
  const streamed = await failure(
    (async () => {
      for await (const { text } of client.echo.talk(context(), texts('a'))) heard.push(text);
    })(),
  );
  assert.deepEqual(heard, ['a']);
  for (const error of [single, streamed]) {
    assert.deepEqual(facts(error), facts(thrown));
    assert.equal(error.cause, undefined);
  }
});

test('a deadline shrinks on the way and ends the call on both sides', async () => {
  const left: number[] = [];
  let told: () => void = () => {};
  const tell = new Promise<void>((resolve) => {
    told = resolve;
  });
  await using server = await serveEcho({
    count: async function* (ctx) {
      left.push(ctx.remainingMs());
      yield {};
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      told();
    },
  });
  await using client = open(server.http2);
  // Connected before, so that the time is for the call alone.
  await client.echo.say(context(), { text: 'x' });
  const error = await failure(Array.fromAsync(client.echo.count(context(300), { text: 'x' })));
  assert.equal(error.code, 'deadline_exceeded');
  assert.ok(left[0]! > 0 && left[0]! <= 300, String(left));
  await tell;
});

test('a caller who leaves, or gives up in silence, ends the handler', async () => {
  const ended: string[] = [];
  let onEnd: () => void = () => {};
  await using server = await serveEcho({
    count: async function* (ctx, { text }) {
      try {
        if (text === 'leave') yield {};
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      } finally {
        ended.push(text);
        onEnd();
      }
    },
  });
  await using client = open(server.http2);
  const next = () =>
    new Promise<void>((resolve) => {
      onEnd = resolve;
    });
  const left = next();
  for await (const _said of client.echo.count(context(), { text: 'leave' })) break;
  await left;
  const over = new AbortController();
  const gaveUp = next();
  const work = failure(Array.fromAsync(client.echo.count(context(60_000, over.signal), { text: 'silent' })));
  while ((await client.echo.say(context(), { text: 'x' })).text !== 'x');
  over.abort();
  assert.equal((await work).code, 'canceled');
  await gaveUp;
  assert.deepEqual(ended, ['leave', 'silent']);
});

test('a server that ends early ends the requests too', async () => {
  await using server = await serveEcho({
    talk: async function* (_ctx, requests) {
      for await (const { text } of requests) {
        yield { text };
        return;
      }
    },
  });
  await using client = open(server.http2);
  let isEnded = false;
  const endless = (async function* () {
    try {
      for (;;) {
        yield { text: 'x'.repeat(10_000) };
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      isEnded = true;
    }
  })();
  assert.equal((await Array.fromAsync(client.echo.talk(context(), endless))).length, 1);
  while (!isEnded) await new Promise((resolve) => setImmediate(resolve));
});

test('requests that fail cancel the call, and their own error is what is said', async () => {
  let reason: unknown;
  let told: () => void = () => {};
  const tell = new Promise<void>((resolve) => {
    told = resolve;
  });
  await using server = await serveEcho({
    join: async (ctx, requests) => {
      try {
        for await (const _request of requests);
      } finally {
        reason = ctx.signal.reason;
        told();
      }
      return {};
    },
  });
  await using client = open(server.http2);
  const broken = (async function* () {
    yield { text: 'x' };
    throw new SoukError({ code: 'aborted', reason: 'OWN_FAULT', message: 'x', retry: { kind: 'never' } });
  })();
  assert.equal((await failure(client.echo.join(context(), broken))).reason, 'OWN_FAULT');
  await tell;
  assert.equal((reason as SoukError).code, 'canceled', 'half of the requests must not look like all of them');
});

test('neither side goes further than the other reads', async () => {
  let made = 0;
  await using server = await serveEcho({
    count: async function* () {
      for (;;) yield { text: 'x'.repeat(1000), number: BigInt(++made) };
    },
    join: async (ctx, requests) => {
      await requests[Symbol.asyncIterator]().next();
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      return {};
    },
  });
  await using client = open(server.http2);
  const still = async (count: () => number) => {
    let before = -1;
    while (count() === 0 || count() !== before) {
      before = count();
      for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    return count();
  };
  const counting = client.echo.count(context(), { text: 'x' })[Symbol.asyncIterator]();
  await counting.next();
  assert.ok((await still(() => made)) < 3000, String(made));
  await counting.return?.();

  let given = 0;
  const endless = (async function* () {
    for (;;) {
      given += 1;
      yield { text: 'x'.repeat(1000) };
    }
  })();
  const over = new AbortController();
  const joining = failure(client.echo.join(context(60_000, over.signal), endless));
  assert.ok((await still(() => given)) < 3000, String(given));
  over.abort();
  await joining;
});

test('a server that is not there was not asked', async () => {
  await using client = open('127.0.0.1:1');
  for (const error of [
    await failure(
      client.transport.send({
        method: 'a.A/B',
        headers: {},
        codec: 'proto',
        body: new Uint8Array(),
        timeoutMs: 1000,
        signal: undefined,
      }),
    ),
    await failure(Array.fromAsync(client.echo.count(context(), { text: 'x' }))),
  ]) {
    assert.ok(isNotSent(error), error.reason);
  }
});

test('what is no answer of gRPC is said to be none', async () => {
  const answers: ((response: {
    writeHead(status: number, headers: object): void;
    end(body?: string): void;
    stream: { close(code: number): void };
  }) => void)[] = [
    (response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<h1>hello</h1>');
    },
    (response) => {
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.end('no frame');
    },
    (response) => {
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.end();
    },
    (response) => {
      response.writeHead(404, { 'content-type': 'text/plain' });
      response.end();
    },
    (response) => response.stream.close(2),
    (response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json' });
      response.end('{"code":"HOST_NOT_READY"}');
    },
  ];
  let answer = 0;
  const server = createServer((_request, response) => answers[answer++]?.(response as never));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = open(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  const reasons: string[] = [];
  for (let turn = 0; turn < answers.length; turn++) {
    reasons.push((await failure(Array.fromAsync(client.echo.count(context(), { text: 'x' })))).reason);
  }
  await client.transport.close();
  server.close();
  assert.deepEqual(reasons, [
    'GRPC_BAD_ANSWER',
    'RPC_BODY_TOO_LARGE',
    'GRPC_BAD_ANSWER',
    'RPC_REMOTE_UNIMPLEMENTED',
    'RPC_UNREACHABLE',
    'RPC_NOT_SENT',
  ]);
});

test('a transport that is closed lets calls end and takes no more', async () => {
  await using server = await serveEcho();
  const { echo, transport } = open(server.http2);
  const talk = echo.talk(context(), texts('a', 'b'))[Symbol.asyncIterator]();
  await talk.next();
  let isClosed = false;
  const closing = transport.close().then(() => {
    isClosed = true;
  });
  assert.ok(hasReason(await failure(Array.fromAsync(echo.count(context(), { text: 'x' }))), 'RPC_UNREACHABLE'));
  assert.equal(isClosed, false);
  assert.equal((await talk.next()).value?.text, 'b');
  assert.equal((await talk.next()).done, true);
  await closing;
});
