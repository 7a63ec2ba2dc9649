import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Caller, type Context, rootContext, type SoukError, virtualRuntime } from '@souk/kernel';
import { recordTelemetry } from '../test/telemetry.ts';
import { ItemSchema, type Update, type WatchHandlers, WatchService, watchHandlers } from '../test/watch.ts';
import {
  type ClientOptions,
  createClient,
  createInProcessTransport,
  createRouter,
  type RouterOptions,
} from './index.ts';

const WATCH = 'watch.v1.WatchService/Watch';

function setUp(
  own: Partial<WatchHandlers> = {},
  options: Partial<RouterOptions> = {},
  more: Partial<ClientOptions> = {},
) {
  const runtime = virtualRuntime();
  const server = recordTelemetry();
  const client = recordTelemetry();
  const router = createRouter({ runtime, telemetry: server.telemetry, ...options });
  router.add(WatchService, watchHandlers(own));
  const watch = createClient(WatchService, createInProcessTransport(router), {
    runtime,
    telemetry: client.telemetry,
    ...more,
  });
  const ctx = (init: { caller?: Caller; timeoutMs?: number; signal?: AbortSignal } = {}) =>
    rootContext({ runtime, ...init });
  return { runtime, router, watch, server, client, ctx };
}

const all = async <T>(stream: AsyncIterable<T>): Promise<T[]> => Array.fromAsync(stream);
const texts = (updates: readonly Update[]) => updates.map(({ position, text }) => `${position} ${text}`);
async function* items(...names: string[]) {
  for (const name of names) yield { name };
}
const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: SoukError) => error.reason,
  );
/** A promise, and what settles it. */
function signalled<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

test('all kinds of streams go through a typed client', async () => {
  const { watch, ctx } = setUp();
  assert.deepEqual(texts(await all(watch.watch(ctx(), { id: 'a', after: 4n }))), ['5 a', '6 a', '7 a']);
  assert.deepEqual((await watch.collect(ctx(), items('x', 'y'))).names, ['x', 'y']);
  assert.deepEqual(texts(await all(watch.talk(ctx(), items('x', 'y')))), ['1 x', '2 y']);
});

test('a stream is refused to whom the access rules keep out, before its request is read', async () => {
  const { watch, ctx, router } = setUp({}, {}, {});
  assert.equal(await reasonOf(all(watch.hidden(ctx(), { id: 'a' }))), 'RPC_UNAUTHENTICATED');
  const anna = { userId: 'anna', roles: [] };
  assert.equal(await reasonOf(all(watch.hidden(ctx({ caller: anna }), { id: 'a' }))), 'RPC_PERMISSION_DENIED');
  assert.equal(
    await reasonOf(all(watch.watch(ctx({ caller: anna }), { id: 'a', userId: 'berta' }))),
    'RPC_PERMISSION_DENIED',
  );
  let isRead = false;
  const stream = router.streams.get('watch.v1.WatchService/Hidden')!;
  const facts = { caller: { roles: [] }, headers: {}, timeoutMs: undefined, signal: undefined };
  const requests = (async function* () {
    isRead = true;
    yield create(ItemSchema);
  })();
  await assert.rejects(router.open(stream, facts, requests).next());
  assert.equal(isRead, false);
});

test('each request of a stream is checked, and one that breaks the rules ends it', async () => {
  const seen: string[] = [];
  const { watch, ctx } = setUp({
    collect: async (_ctx, requests) => {
      try {
        for await (const { name } of requests) seen.push(name);
      } catch {
        // A handler cannot make good what its caller has broken.
      }
      return {};
    },
  });
  assert.equal(await reasonOf(watch.collect(ctx(), items('x', '', 'y'))), 'RPC_INVALID_REQUEST');
  assert.deepEqual(seen, ['x']);
});

test('a response is made no sooner than it is asked for, a request taken no sooner than it is wanted', async () => {
  let made = 0;
  let given = 0;
  const { watch, ctx, runtime } = setUp({
    watch: async function* () {
      for (;;) yield { position: BigInt(++made) };
    },
    talk: async function* (_ctx, requests) {
      for await (const { name } of requests) yield { text: name };
    },
  });
  const responses = watch.watch(ctx(), { id: 'a' })[Symbol.asyncIterator]();
  await runtime.settle();
  assert.equal(made, 0);
  await responses.next();
  await responses.next();
  await runtime.settle();
  assert.equal(made, 2);
  await responses.return?.();

  const endless = (async function* () {
    for (;;) yield { name: String(++given) };
  })();
  const talk = watch.talk(ctx(), endless)[Symbol.asyncIterator]();
  await talk.next();
  await talk.next();
  await runtime.settle();
  assert.equal(given, 2);
  await talk.return?.();
});

test('a caller who leaves cancels the handler and ends both iterations', async () => {
  const ended: string[] = [];
  const contexts: Context[] = [];
  const { watch, ctx, runtime, server } = setUp({
    talk: async function* (ctx, requests) {
      contexts.push(ctx);
      try {
        for await (const { name } of requests) yield { text: name };
      } finally {
        ended.push('handler');
      }
    },
  });
  const requests = (async function* () {
    try {
      for (;;) yield { name: 'x' };
    } finally {
      ended.push('requests');
    }
  })();
  for await (const _update of watch.talk(ctx(), requests)) break;
  await runtime.settle();
  assert.deepEqual(ended.sort(), ['handler', 'requests']);
  assert.equal(contexts[0]?.signal.aborted, true);
  assert.ok(server.series.includes('rpc_server_streams_total{method="watch.v1.WatchService/Talk",code="canceled"}'));
});

test('requests that a handler does not care for are ended all the same', async () => {
  const { watch, ctx, runtime } = setUp({ collect: async () => ({}) });
  let ended = 0;
  const requests = {
    next: async () => ({ done: false as const, value: { name: 'x' } }),
    return: async () => {
      ended += 1;
      return { done: true as const, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  assert.equal((await watch.collect(ctx(), requests)).count, 0);
  await runtime.settle();
  assert.ok(ended > 0);
});

test('a caller who gives up ends a stream that is silent', async () => {
  const left = signalled<string>();
  const { watch, ctx, runtime } = setUp({
    watch: async function* (ctx) {
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
      left.resolve((ctx.signal.reason as SoukError).reason);
      yield* [];
    },
  });
  const over = new AbortController();
  const stream = reasonOf(all(watch.watch(ctx({ signal: over.signal }), { id: 'a' })));
  await runtime.settle();
  over.abort();
  assert.equal(await stream, 'SOUK_CANCELED');
  assert.equal(await left.promise, 'SOUK_CANCELED');
});

const silent: Partial<WatchHandlers> = {
  watch: async function* () {
    await new Promise(() => {});
    yield* [];
  },
  brief: async function* () {
    await new Promise(() => {});
    yield* [];
  },
  collect: async (_ctx, requests) => {
    for await (const _request of requests);
    return {};
  },
};

test('a stream ends at its deadline, whoever has set it', async () => {
  const hour = 3_600_000;
  const { watch, ctx, runtime } = setUp(silent, {
    limits: { 'watch.v1.WatchService/Collect': { maxStreamMs: 5000, idleMs: 100_000 } },
  });
  const never = (async function* () {
    await new Promise(() => {});
    yield { name: '' };
  })();
  const endings: Record<string, number> = {};
  const note = (name: string, work: Promise<unknown>) =>
    reasonOf(work).then((reason) => {
      assert.equal(reason, 'SOUK_DEADLINE_EXCEEDED', name);
      endings[name] = runtime.clock.monotonicMs();
    });
  const began = runtime.clock.monotonicMs();
  const noted = [
    note('caller', all(watch.watch(ctx(), { id: 'a' }, { timeoutMs: 1000 }))),
    note('context', all(watch.watch(ctx({ timeoutMs: 1500 }), { id: 'a' }))),
    note('contract', all(watch.brief(ctx(), { id: 'a' }))),
    note('setting', watch.collect(ctx(), never)),
    note('router', all(watch.watch(ctx(), { id: 'a' }))),
  ];
  await runtime.advance(hour + 100);
  await Promise.all(noted);
  const within = (name: string, ms: number) => {
    const tookMs = (endings[name] as number) - began;
    assert.ok(tookMs >= ms && tookMs <= ms + 50, `${name}: ${tookMs}`);
  };
  within('caller', 1000);
  within('context', 1500);
  within('contract', 2000);
  within('setting', 5000);
  within('router', hour);
});

test('a handler that ends because its time is over has not said all', async () => {
  const { watch, ctx, runtime } = setUp({
    watch: async function* (ctx) {
      yield { text: 'first' };
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
    },
  });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { text } of watch.watch(ctx({ timeoutMs: 1003 }), { id: 'a' })) seen.push(text);
  })();
  const reason = reasonOf(reading);
  await runtime.advance(1100);
  assert.equal(await reason, 'SOUK_DEADLINE_EXCEEDED');
  assert.deepEqual(seen, ['first']);
});

test('a call whose time is over when it comes never reaches its handler', async () => {
  let began = 0;
  const count: Partial<WatchHandlers> = {
    get: async () => {
      began += 1;
      return {};
    },
    watch: async function* () {
      began += 1;
      yield {};
    },
  };
  const { router } = setUp(count);
  const request = {
    headers: {},
    codec: 'json',
    timeoutMs: 0,
    signal: undefined,
  } as const;
  const body = Buffer.from('{"id":"a"}');
  const unary = router.handle({ ...request, method: 'watch.v1.WatchService/Get', body }, { roles: [] });
  assert.equal(await reasonOf(unary), 'SOUK_DEADLINE_EXCEEDED');
  const messages = (async function* () {
    yield body;
  })();
  const stream = router.handleStream({ ...request, method: WATCH, kind: 'server_streaming', messages }, { roles: [] });
  assert.equal(await reasonOf(all(stream)), 'SOUK_DEADLINE_EXCEEDED');
  assert.equal(began, 0);
});

test('a caller who neither sends nor takes is idle, a handler with nothing to say is not', async () => {
  const idle = { idleMs: 10_000 };
  const { watch, ctx, runtime } = setUp(silent, {
    limits: { 'watch.v1.WatchService/Collect': idle, 'watch.v1.WatchService/Talk': idle, [WATCH]: idle },
  });
  const sendsNothing = (async function* () {
    yield { name: 'x' };
    await new Promise(() => {});
  })();
  const collect = reasonOf(watch.collect(ctx(), sendsNothing));
  const talk = watch.talk(ctx(), items('x', 'y'))[Symbol.asyncIterator]();
  await talk.next();
  let silentEnded = false;
  const quiet = reasonOf(all(watch.watch(ctx(), { id: 'a' }))).then((reason) => {
    silentEnded = true;
    return reason;
  });
  await runtime.advance(12_000);
  assert.equal(await collect, 'RPC_STREAM_IDLE');
  assert.equal(await reasonOf(talk.next()), 'RPC_STREAM_IDLE');
  assert.equal(silentEnded, false);
  await runtime.advance(3_600_000);
  await quiet;
  assert.equal(runtime.pendingTimers, 0, 'nothing ticks when no stream is open');
});

test('an error of the handler comes after what it has said, without its cause', async () => {
  const { watch, ctx, server } = setUp({
    watch: async function* () {
      yield { text: 'first' };
      throw new Error('secret');
    },
  });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { text } of watch.watch(ctx(), { id: 'a' })) seen.push(text);
  })();
  const error = await reading.then(
    () => assert.fail(),
    (thrown: SoukError) => thrown,
  );
  assert.deepEqual(seen, ['first']);
  assert.equal(error.reason, 'SOUK_INTERNAL');
  assert.equal(error.cause, undefined);
  assert.ok(error.details.errorId);
  assert.equal(server.lines.find(({ level }) => level === 'error')?.fields.errorId, error.details.errorId);
});

test('more streams than the limit are refused until one has ended', async () => {
  const { watch, ctx, runtime } = setUp({}, { limits: { [WATCH]: { maxConcurrent: 1 } } });
  const first = watch.watch(ctx(), { id: 'a' })[Symbol.asyncIterator]();
  await first.next();
  assert.equal(await reasonOf(all(watch.watch(ctx(), { id: 'a' }))), 'RPC_TOO_MANY_CALLS');
  await first.return?.();
  await runtime.settle();
  assert.equal(await reasonOf(all(watch.watch(ctx(), { id: 'a' }))), 'ok');
});

test('more single calls than the limit are refused, and one that was cut off counts until it has settled', async () => {
  const method = 'watch.v1.WatchService/Get';
  const done = signalled<object>();
  const { watch, ctx, runtime } = setUp(
    { get: () => done.promise },
    { limits: { [method]: { maxConcurrent: 1 } }, maxTimeoutMs: 1000 },
  );
  const cutOff = reasonOf(watch.get(ctx(), { id: 'a' }, { timeoutMs: 500 }));
  await runtime.advance(600);
  assert.equal(await cutOff, 'SOUK_DEADLINE_EXCEEDED');
  assert.equal(await reasonOf(watch.get(ctx({ timeoutMs: 1 }), { id: 'a' })), 'RPC_TOO_MANY_CALLS');
  done.resolve({});
  await runtime.settle();
  assert.equal(await reasonOf(watch.get(ctx(), { id: 'a' })), 'ok');
});

test('before the process stops, streams end with the advice to come back', async () => {
  const { watch, ctx, router, runtime } = setUp(silent);
  const open = all(watch.watch(ctx(), { id: 'a' })).catch((error: SoukError) => error);
  await runtime.settle();
  router.drain();
  const error = (await open) as SoukError;
  assert.deepEqual([error.reason, error.retry.kind], ['RPC_DRAINING', 'later']);
  assert.equal(await reasonOf(all(watch.watch(ctx(), { id: 'a' }))), 'RPC_DRAINING');
  assert.equal((await watch.get(ctx(), { id: 'a' })).text, 'a');
});

test('interceptors of streams wrap both directions, the first outermost', async () => {
  const seen: string[] = [];
  const note = (name: string) => (next: Parameters<NonNullable<RouterOptions['streamInterceptors']>[0]>[0]) =>
    async function* (call: Parameters<typeof next>[0]) {
      seen.push(`${name} ${call.desc.methodKind}`);
      const requests = (async function* () {
        for await (const request of call.requests) {
          seen.push(`${name} in`);
          yield request;
        }
      })();
      for await (const response of next({ ...call, requests })) {
        seen.push(`${name} out`);
        yield response;
      }
    };
  const { watch, ctx } = setUp({}, { streamInterceptors: [note('a'), note('b')] });
  await all(watch.talk(ctx(), items('x')));
  assert.deepEqual(seen, ['a bidi_streaming', 'b bidi_streaming', 'a in', 'b in', 'b out', 'a out']);
});

test('a stream is one span on either side, and its messages are counted', async () => {
  const { watch, ctx, server, client } = setUp();
  await all(watch.talk(ctx(), items('x', 'y')));
  const method = 'watch.v1.WatchService/Talk';
  assert.deepEqual(
    [...client.spans, ...server.spans].map(({ name, kind, ended }) => [name, kind, ended]),
    [
      [method, 'client', 1],
      [method, 'server', 1],
    ],
  );
  const count = (series: readonly string[], wanted: string) => series.filter((each) => each === wanted).length;
  for (const [side, { series }] of Object.entries({ server, client })) {
    for (const direction of ['sent', 'received'])
      assert.equal(count(series, `rpc_${side}_stream_messages_total{method="${method}",direction="${direction}"}`), 2);
    assert.equal(count(series, `rpc_${side}_streams_total{method="${method}",code="ok"}`), 1);
  }
});

test('a method of one request takes neither none nor two', async () => {
  const { router } = setUp();
  const stream = router.streams.get(WATCH)!;
  const facts = { caller: { roles: [] }, headers: {}, timeoutMs: undefined, signal: undefined };
  const one = create(stream.desc.input, { id: 'a' } as Record<string, unknown>);
  for (const messages of [[], [one, one]]) {
    const requests = (async function* () {
      yield* messages;
    })();
    assert.equal(await reasonOf(all(router.open(stream, facts, requests))), 'RPC_ONE_MESSAGE');
  }
});
