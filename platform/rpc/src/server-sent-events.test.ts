import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { newTrace, virtualRuntime } from '@souk/kernel';
import { serveWatch } from '../test/server.ts';
import { type WatchHandlers, WatchService } from '../test/watch.ts';
import { rpcErrors } from './errors.ts';
import type { HttpCall } from './http-call.ts';
import { eventFields, eventStream } from './server-sent-events.ts';

const read = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
};

test('a stream of responses is served as events whose id is their position', async () => {
  await using server = await serveWatch();
  const { status, type, text } = await read(`${server.url}/v1/things/a/events`);
  assert.deepEqual([status, type], [200, 'text/event-stream; charset=utf-8']);
  const [retry, first, ...others] = text.split('\n\n');
  assert.equal(retry, 'retry: 2000');
  assert.equal(first, 'id: 1\ndata: {"position":"1","text":"a"}');
  assert.equal(others.length, 3);
});

test('a oneof called event names the events', async () => {
  await using server = await serveWatch();
  const { text } = await read(`${server.url}/v1/things/a/changes`);
  assert.match(text, /event: came\nid: a\ndata: \{.*\}\n\nevent: wentAway\nid: b\ndata: /);
});

test('a client goes on after the event that it has seen last, whatever its address says', async () => {
  await using server = await serveWatch();
  const ids = async (query: string, headers: Record<string, string> = {}) =>
    (await read(`${server.url}/v1/things/a/events${query}`, headers)).text.match(/(?<=id: ).*/g)?.[0];
  assert.equal(await ids('?after=4'), '5');
  assert.equal(await ids('?after=4', { 'last-event-id': '9' }), '10');
  assert.equal(await ids('', { 'last-event-id': '' }), '1');
  const bad = await read(`${server.url}/v1/things/a/events`, { 'last-event-id': 'x' });
  assert.deepEqual([bad.status, JSON.parse(bad.text).errors[0].pointer], [400, '/after']);
});

const failing: Partial<WatchHandlers> = {
  watch: async function* (_ctx, { id }) {
    if (id === 'late') yield { position: 1n };
    if (id === 'stop') yield { position: 1n };
    throw id === 'stop' ? rpcErrors.DRAINING() : rpcErrors.NOT_FOUND();
  },
};

test('an error before the first event is a reply of its own, a later one an event', async () => {
  await using server = await serveWatch(failing);
  const early = await read(`${server.url}/v1/things/early/events`);
  assert.deepEqual([early.status, early.type], [404, 'application/problem+json']);
  const late = await read(`${server.url}/v1/things/late/events`);
  assert.equal(late.status, 200);
  const problem = JSON.parse(/event: error\ndata: (.*)\n\n$/.exec(late.text)?.[1] ?? '');
  assert.deepEqual([problem.code, problem.status], ['RPC_NOT_FOUND', 404]);
});

test('a server that stops ends the events without an error, so that clients come back', async () => {
  await using server = await serveWatch(failing);
  const { status, text } = await read(`${server.url}/v1/things/stop/events`);
  assert.equal(status, 200);
  assert.doesNotMatch(text, /error/);
});

test('a client that is gone ends the handler, and HEAD does not begin it', async () => {
  let begun = 0;
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  await using server = await serveWatch({
    watch: async function* (ctx) {
      begun += 1;
      try {
        yield { position: 1n };
        await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
      } finally {
        ended();
      }
    },
  });
  const head = await fetch(`${server.url}/v1/things/a/events`, { method: 'HEAD' });
  assert.deepEqual([head.status, begun], [200, 0]);
  const leave = new AbortController();
  const response = await fetch(`${server.url}/v1/things/a/events`, { signal: leave.signal });
  const reader = response.body!.getReader();
  await reader.read();
  leave.abort();
  await end;
  assert.equal(begun, 1);
});

test('a client that does not read stops the handler from going on', async () => {
  let made = 0;
  await using server = await serveWatch({
    watch: async function* () {
      for (;;) yield { position: BigInt(++made), text: 'x'.repeat(1000) };
    },
  });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').pause();
  socket.write('GET /v1/things/a/events HTTP/1.1\r\nhost: x\r\n\r\n');
  let before = -1;
  // The buffers of both sockets are filled first.
  while (made === 0 || made !== before) {
    before = made;
    for (let turn = 0; turn < 2000; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(made < 50_000, String(made));
  socket.destroy();
});

const method = WatchService.method.watch;
const call = { path: '/x', trace: newTrace(virtualRuntime(), true) } as HttpCall;

test('a stream with nothing to say opens after a second and is kept alive', async () => {
  const runtime = virtualRuntime();
  let say: (value: IteratorResult<never>) => void = () => {};
  const silent = {
    next: () =>
      new Promise<IteratorResult<never>>((resolve) => {
        say = resolve;
      }),
  };
  const opening = eventStream(runtime, call, silent, eventFields(method.output), () => '{}');
  await runtime.advance(1000);
  const reply = await opening;
  const pieces = (reply.body as AsyncIterable<string>)[Symbol.asyncIterator]();
  assert.equal((await pieces.next()).value, 'retry: 2000\n\n');
  const quiet = pieces.next();
  await runtime.advance(15_000);
  assert.equal((await quiet).value, ': keep-alive\n\n');
  const event = pieces.next();
  await runtime.settle();
  say({ done: false, value: create(method.output, { position: 7n }) as never });
  assert.equal((await event).value, 'id: 7\ndata: {}\n\n');
});
