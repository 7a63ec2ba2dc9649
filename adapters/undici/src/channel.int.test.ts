import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Context, SoukError } from '@souk/kernel';
import { FRAME_KINDS, type Frame, FrameReader, FrameWriter, isNotSent, NO_BODY, signal } from '@souk/rpc';
import { makeCertificates } from '../test/certificates.ts';
import { EchoService } from '../test/echo.ts';
import {
  acceptUpgrade,
  connectTo as connectOverHttp,
  echoListener,
  reasonOf,
  serve,
  serveBytes,
  serveChannels,
  serveEcho,
  stop,
} from '../test/servers.ts';
import type { HttpTransportOptions, Target } from './index.ts';

const EchoSchema = EchoService.method.get.input;
const connectTo = (target: Target, options: Partial<HttpTransportOptions> = {}) =>
  connectOverHttp(target, { channels: true, ...options });

test('a hundred calls at once share one connection, and those that are done first are answered first', async () => {
  const order: number[] = [];
  const slow = Promise.withResolvers<void>();
  await using server = await serveChannels({
    get: async (_ctx, { number, text, payload }) => {
      if (number === 0) await slow.promise;
      return { number, text, payload };
    },
  });
  await using client = connectTo(server.target);
  const calls = Array.from({ length: 100 }, async (_, number) => {
    const answer = await client.echo.get(client.ctx, {
      number,
      text: `grüß ${number}`,
      payload: Uint8Array.of(0, 255),
    });
    assert.deepEqual([answer.number, answer.text, [...answer.payload]], [number, `grüß ${number}`, [0, 255]]);
    order.push(number);
    if (order.length === 99) slow.resolve();
  });
  await Promise.all(calls);
  assert.equal(order.at(-1), 0);
  assert.deepEqual(server.seen, { connections: 1, requests: 0 });
});

test('an error keeps every fact but its cause', async () => {
  const thrown = new SoukError({
    ...{ code: 'resource_exhausted', reason: 'ECHO_BUSY', message: 'too much at once', httpStatus: 429 },
    ...{ retry: { kind: 'never' }, details: { queue: 'echo' }, cause: new Error('secret') },
    violations: [{ pointer: '/text', detail: 'must be shorter' }],
  });
  await using server = await serveChannels({ change: () => Promise.reject(thrown) });
  await using client = connectTo(server.target);
  const error = await client.echo.change(client.ctx, {}).then(
    () => assert.fail(),
    (each: SoukError) => each,
  );
  for (const key of ['code', 'reason', 'message', 'retry', 'httpStatus', 'violations', 'details'] as const)
    assert.deepEqual(error[key], thrown[key], key);
  assert.equal(error.cause, undefined);
});

test('deadline, trace, wishes, key and what proves the caller go along', async () => {
  const seen: Context[] = [];
  await using server = await serveChannels({
    get: async (ctx) => {
      seen.push(ctx);
      return {};
    },
  });
  await using client = connectTo(server.target, { headers: ({ caller }) => ({ authorization: `${caller?.userId}` }) });
  const trace = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: false, tracestate: 'a=b' };
  const routing = { version: '2.0.0', affinity: 'anna' };
  const ctx = client.ctx.with({ timeoutMs: 700, trace, routing, caller: { userId: 'anna', roles: ['admin'] } });
  await client.echo.get(ctx, {});
  assert.ok(seen[0] && seen[0].remainingMs() <= 700 && seen[0].deadlineMs !== Number.POSITIVE_INFINITY);
  assert.equal(seen[0].trace.traceId, trace.traceId);
  assert.equal(seen[0].trace.tracestate, 'a=b');
  assert.deepEqual(seen[0].routing, routing);
  assert.deepEqual(seen[0].caller, { roles: [], service: 'test' });
});

test('who is too slow, or given up by its caller, hears that nobody waits; other calls go on', async () => {
  const left: string[] = [];
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  await using server = await serveChannels({
    change: (ctx, { number }) => {
      begun[number as 0 | 1].resolve();
      return new Promise((_resolve, reject) => {
        ctx.signal.addEventListener('abort', () => {
          left.push(`${number}`);
          reject(ctx.signal.reason);
        });
      });
    },
  });
  await using client = connectTo(server.target);
  const gone = new AbortController();
  const late = reasonOf(client.echo.change(client.ctx.with({ timeoutMs: 150 }), { number: 0 }));
  const left1 = reasonOf(client.echo.change(client.ctx.with({ signal: gone.signal }), { number: 1 }));
  await Promise.all(begun.map(({ promise }) => promise));
  gone.abort();
  assert.equal(await left1, 'SOUK_CANCELED');
  assert.equal(await late, 'SOUK_DEADLINE_EXCEEDED');
  assert.equal((await client.echo.get(client.ctx, { number: 7 })).number, 7);
  while (left.length < 2) await sleep(1);
  assert.deepEqual(left.toSorted(), ['0', '1']);
  assert.equal(server.seen.connections, 1);
});

test('a caller who gives up before there is a channel has sent nothing', async () => {
  await using server = await serveChannels();
  await using client = connectTo(server.target);
  const gone = new AbortController();
  const call = reasonOf(client.echo.change(client.ctx.with({ signal: gone.signal }), {}));
  gone.abort();
  assert.equal(await call, 'SOUK_CANCELED');
  assert.equal((await client.echo.get(client.ctx, { number: 1 })).number, 1);
});

test('where nobody listens, nothing was sent', async () => {
  const server = await serveChannels();
  await stop(server.server);
  await using client = connectTo(server.target);
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_NOT_SENT');
});

test('a connection that is lost leaves outcomes unknown, but what may be repeated is sent again, once', async () => {
  const runs = { get: 0, change: 0 };
  const sockets: Duplex[] = [];
  const die = (): Promise<never> => {
    sockets.pop()?.destroy();
    return new Promise(() => {});
  };
  await using server = await serveChannels({
    get: async (_ctx, { number }) => (++runs.get > number ? { number } : die()),
    change: () => {
      runs.change++;
      return die();
    },
  });
  server.server.on('upgrade', (_request, socket) => sockets.push(socket));
  const calls = async (name: 'get' | 'change', number: number) => {
    // Without the client's own retries.
    await using client = connectTo(server.target);
    const method = `echo.v1.EchoService/${name === 'get' ? 'Get' : 'Change'}`;
    const body = toBinary(EchoSchema, create(EchoSchema, { number }));
    const facts = { headers: {}, codec: 'proto', timeoutMs: 5000, signal: undefined } as const;
    return await reasonOf(client.transport.send({ ...facts, method, body, repeatable: name === 'get' }));
  };
  assert.equal(await calls('get', 1), 'ok');
  assert.equal(runs.get, 2);
  assert.equal(await calls('change', 0), 'RPC_UNREACHABLE');
  assert.equal(runs.change, 1);
  runs.get = 0;
  assert.equal(await calls('get', 5), 'RPC_UNREACHABLE');
  assert.equal(runs.get, 2);
});

test('a server that wants no more calls gets none, and answers those that it has', async () => {
  const go = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using server = await serveChannels({
    change: async (_ctx, { number }) => {
      if (number === 1) {
        begun.resolve();
        await go.promise;
      }
      return { number };
    },
  });
  await using client = connectTo(server.target);
  const [connection] = await Promise.all([
    once(server.server, 'connection'),
    client.echo.change(client.ctx, { number: 2 }),
  ]);
  const closed = once(connection[0], 'close');
  const underWay = client.echo.change(client.ctx, { number: 1 });
  await begun.promise;
  server.channels.goAway();
  while (server.seen.connections < 2) {
    assert.equal((await client.echo.change(client.ctx, { number: 3 })).number, 3);
    await sleep(1);
  }
  go.resolve();
  assert.equal((await underWay).number, 1);
  await closed;
});

test('no call fails while servers send their clients away all the time', async () => {
  await using server = await serveChannels();
  await using client = connectTo(server.target);
  const timer = setInterval(() => server.channels.goAway(), 2);
  const failed: string[] = [];
  let next = 0;
  const caller = async () => {
    while (next < 5000) {
      const number = next++;
      const reason = await reasonOf(client.echo.change(client.ctx, { number }));
      if (reason !== 'ok') failed.push(reason);
    }
  };
  await Promise.all(Array.from({ length: 16 }, caller));
  clearInterval(timer);
  assert.deepEqual(failed, []);
  assert.ok(server.seen.connections > 5, String(server.seen.connections));
});

test('a server that knows no channels is called over HTTP, and not asked again for a minute', async () => {
  await using server = await serveEcho();
  const paths: unknown[] = [];
  server.server.on('request', ({ url }) => paths.push(url));
  await using client = connectTo(server.target);
  for (let number = 0; number < 3; number++)
    assert.equal((await client.echo.change(client.ctx, { number })).number, number);
  assert.deepEqual(paths, ['/souk.rpc.Channel', ...Array(3).fill('/echo.v1.EchoService/Change')]);
});

test('a server that hangs up on who asks for a channel is called over HTTP', async () => {
  const listener = echoListener();
  await using server = await serve((request, response) =>
    request.url === '/souk.rpc.Channel' ? request.socket.destroy() : listener(request, response),
  );
  await using client = connectTo(server.target);
  assert.equal((await client.echo.change(client.ctx, { number: 4 })).number, 4);
});

test('a server that takes connections and says nothing has not seen the call', async () => {
  await using server = await serveBytes(() => {});
  await using client = connectTo(server.target);
  assert.equal(await reasonOf(client.echo.change(client.ctx, {}, { timeoutMs: 20_000 })), 'RPC_NOT_SENT');
});

test('large messages have a connection of their own', async () => {
  await using server = await serveChannels();
  await using client = connectTo(server.target);
  const payload = new Uint8Array(900_000).map((_, at) => at % 251);
  const answer = await client.echo.get(client.ctx, { payload });
  assert.ok(Buffer.from(answer.payload).equals(payload));
  assert.deepEqual(server.seen, { connections: 1, requests: 1 });
});

test('a large answer comes whole, one that is too large is refused, and the next call is served', async () => {
  const sizes = [400_000, 600_000, 1];
  await using server = await serveChannels({
    change: async () => ({ payload: new Uint8Array(sizes.shift() as number).fill(7) }),
  });
  await using client = connectTo(server.target, { maxAnswerBytes: 500_000 });
  assert.equal((await client.echo.change(client.ctx, {})).payload.length, 400_000);
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_ANSWER_TOO_LARGE');
  assert.equal((await client.echo.change(client.ctx, {})).payload.length, 1);
  assert.equal(server.seen.connections, 1);
});

test('no more calls than allowed are under way', async () => {
  const go = Promise.withResolvers<void>();
  await using server = await serveChannels({
    change: async () => {
      await go.promise;
      return {};
    },
  });
  await using client = connectTo(server.target, { connectionsPerInstance: 2, maxWaiting: 1 });
  const calls = [1, 2, 3].map(() => reasonOf(client.echo.change(client.ctx, {})));
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_NOT_SENT');
  go.resolve();
  assert.deepEqual(await Promise.all(calls), ['ok', 'ok', 'ok']);
});

test('a header that no protocol allows is the caller\u2019s fault', async () => {
  await using server = await serveChannels();
  await using client = connectTo(server.target);
  for (const idempotencyKey of ['a\r\nb: c', 'a\0b', 'x'.repeat(20_000)])
    assert.equal(await reasonOf(client.echo.change(client.ctx, {}, { idempotencyKey })), 'RPC_BAD_CALL');
  assert.equal((await client.echo.get(client.ctx, { number: 2 })).number, 2);
});

test('closing lets calls under way end and takes nothing new', async () => {
  const go = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using server = await serveChannels({
    change: async () => {
      begun.resolve();
      await go.promise;
      return { number: 3 };
    },
  });
  await using client = connectTo(server.target);
  const call = client.echo.change(client.ctx, {});
  await begun.promise;
  let closed = false;
  const closing = client.transport.close().then(() => {
    closed = true;
  });
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'RPC_NOT_SENT');
  assert.equal(closed, false);
  go.resolve();
  assert.equal((await call).number, 3);
  await closing;
});

test('both sides prove who they are by certificates', async () => {
  const { ca, cert, key } = makeCertificates();
  const other = makeCertificates();
  await using server = await serveChannels({}, { ca, cert, key, requestCert: true, rejectUnauthorized: true });
  await using client = connectTo(server.target, { tls: { ca, cert, key, servername: 'localhost' } });
  assert.equal((await client.echo.get(client.ctx, { number: 4 })).number, 4);
  assert.deepEqual(server.seen, { connections: 1, requests: 0 });
  await using stranger = connectTo(server.target, { tls: { ca: other.ca, cert, key } });
  assert.equal(await reasonOf(stranger.echo.change(stranger.ctx, {})), 'RPC_NOT_SENT');
});

/** A server of channels that does as it is told. */
async function serveFrames(onFrame: (frame: Frame, reply: (frame: Frame) => void, socket: Socket) => void) {
  const readers = new WeakMap<Socket, FrameReader>();
  return serveBytes((socket, chunk) => {
    const reader = readers.get(socket);
    if (reader !== undefined) {
      reader.push(chunk);
      return;
    }
    acceptUpgrade(socket);
    const writer = new FrameWriter((bytes) => socket.write(bytes));
    const listener = {
      onFrame: (frame: Frame) => onFrame(frame, (reply) => writer.add(reply), socket),
      onTooLong: () => {},
    };
    readers.set(socket, new FrameReader(1_000_000, listener));
  });
}

const answer = (id: number): Frame => ({ kind: FRAME_KINDS.answer, id, number: 0, text: '', body: NO_BODY });

test('a channel on which nothing is heard any more is given up with all its calls, and another is made', async () => {
  let connections = 0;
  const first = Promise.withResolvers<void>();
  await using server = await serveFrames(({ kind, id }, reply, socket) => {
    if (kind !== FRAME_KINDS.call) return;
    const known = socket as Socket & { number?: number };
    known.number ??= ++connections;
    if (known.number > 1) reply(answer(id));
    else first.resolve();
  });
  await using client = connectTo(server.target);
  const patient = reasonOf(client.echo.change(client.ctx, {}, { timeoutMs: 30_000 }));
  await first.promise;
  assert.equal(await reasonOf(client.echo.change(client.ctx, {}, { timeoutMs: 50 })), 'SOUK_DEADLINE_EXCEEDED');
  assert.equal(await patient, 'RPC_UNREACHABLE');
  assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'ok');
});

test('a server that is only slow keeps its channel', async () => {
  let slow: (() => void) | undefined;
  let connections = 0;
  await using server = await serveFrames(({ kind, id }, reply, socket) => {
    const known = socket as Socket & { number?: number };
    known.number ??= ++connections;
    if (kind === FRAME_KINDS.ping) reply(signal(FRAME_KINDS.pong));
    if (kind !== FRAME_KINDS.call) return;
    if (slow === undefined) slow = () => reply(answer(id));
  });
  await using client = connectTo(server.target);
  const patient = reasonOf(client.echo.change(client.ctx, {}, { timeoutMs: 30_000 }));
  while (slow === undefined) await sleep(1);
  assert.equal(await reasonOf(client.echo.change(client.ctx, {}, { timeoutMs: 50 })), 'SOUK_DEADLINE_EXCEEDED');
  await sleep(1200);
  slow();
  assert.equal(await patient, 'ok');
  assert.equal(connections, 1);
});

for (const [what, said, reason] of [
  ['no frame', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'RPC_UNREACHABLE'],
  ['the answer to a call that nobody made', [answer(4711)], 'ok'],
  ['an error that is none', [{ ...answer(1), kind: FRAME_KINDS.error, number: 503 }], 'RPC_REMOTE_UNAVAILABLE'],
  ['an error that says all is well', [{ ...answer(1), kind: FRAME_KINDS.error, number: 200 }], 'RPC_REMOTE_UNKNOWN'],
  ['what is no message', [{ ...answer(1), body: Uint8Array.of(255, 255) }], 'RPC_BAD_ANSWER'],
  ['a call', [{ ...answer(1), kind: FRAME_KINDS.call }], 'RPC_UNREACHABLE'],
] as const) {
  test(`a server that sends ${what} does no harm, and the next call is served`, async () => {
    let calls = 0;
    await using server = await serveFrames(({ kind, id }, reply, socket) => {
      if (kind !== FRAME_KINDS.call) return;
      if (++calls > 1) return reply(answer(id));
      if (Buffer.isBuffer(said)) socket.write(said);
      else for (const frame of said) reply(frame);
      if (reason === 'ok') reply(answer(id));
    });
    await using client = connectTo(server.target);
    assert.equal(await reasonOf(client.echo.change(client.ctx, {})), reason);
    assert.equal(await reasonOf(client.echo.change(client.ctx, {})), 'ok');
  });
}

test('what only one process could not send is told apart from what another could not', async () => {
  const thrown = new SoukError({
    ...{ code: 'unavailable', reason: 'RPC_NOT_SENT', message: 'stock cannot be reached', retry: { kind: 'later' } },
  });
  await using server = await serveChannels({ change: () => Promise.reject(thrown) });
  await using client = connectTo(server.target);
  const error = await client.echo.change(client.ctx, {}).catch((each: unknown) => each);
  assert.equal((error as SoukError).reason, 'RPC_NOT_SENT');
  assert.equal(isNotSent(error), false);
});
