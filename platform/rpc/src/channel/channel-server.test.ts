import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Caller, type Context, systemRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { type ShopHandlers, ShopService, shopHandlers } from '../../test/shop.ts';
import { recordTelemetry } from '../../test/telemetry.ts';
import { fromConnectError } from '../connect-error.ts';
import { rpcErrors } from '../errors.ts';
import { createRouter } from '../router.ts';
import { type ChannelServerOptions, createChannelServer } from './channel-server.ts';
import { FRAME_KINDS, type Frame, FrameReader, FrameWriter, NO_BODY, NO_TIMEOUT, signal } from './frame.ts';

const runtime = systemRuntime();
const { getOrder, reserveStock } = ShopService.method;

const authenticate = async ({ authorization }: Readonly<Record<string, string>>): Promise<Caller> => {
  if (authorization === 'stale') throw rpcErrors.UNAUTHENTICATED();
  return authorization === 'nobody' ? { roles: [] } : { roles: [], service: 'test' };
};

/** A client that sends frames as it likes, on a connection without sockets. */
function connect(own: Partial<ShopHandlers> = {}, options: Partial<ChannelServerOptions> = {}) {
  const recorded = recordTelemetry();
  const { telemetry } = recorded;
  const router = createRouter({ runtime, telemetry });
  router.add(ShopService, shopHandlers(own));
  const server = createChannelServer({ router, runtime, telemetry, authenticate, ...options });
  const [near, far] = duplexPair();
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  const reader = new FrameReader(2 ** 24, {
    onFrame: (frame) => {
      frames.push(frame);
      for (const tell of waiting) tell();
    },
    onTooLong: () => assert.fail('too long'),
  });
  near.on('data', (chunk: Buffer) => reader.push(chunk));
  near.on('error', () => {});
  const closed = new Promise<void>((resolve) => far.once('close', resolve));
  server.accept(far, Buffer.alloc(0));
  const writer = new FrameWriter((bytes) => near.write(bytes));
  /** Waits for the frame that a call ends with. */
  const end = async (id: number): Promise<Frame> => {
    for (;;) {
      const found = frames.find((frame) => frame.id === id);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.add(resolve));
    }
  };
  return { ...recorded, server, near: near as Duplex, far, frames, writer, end, closed };
}

const callFrame = (id: number, method: string, body: Uint8Array = NO_BODY, headers: readonly string[] = []): Frame => ({
  ...{ kind: FRAME_KINDS.call, id, number: NO_TIMEOUT, body },
  text: ['proto', `shop.v1.ShopService/${method}`, ...headers].join('\0'),
});
const getFrame = (id: number, headers?: readonly string[]): Frame =>
  callFrame(id, 'GetOrder', toBinary(getOrder.input, create(getOrder.input, { id: `o${id}` })), headers);
const reserveFrame = (id: number, headers?: readonly string[]): Frame =>
  callFrame(id, 'ReserveStock', toBinary(reserveStock.input, create(reserveStock.input, { productId: 'p' })), headers);

const errorOf = ({ kind, number, body }: Frame) => {
  assert.equal(kind, FRAME_KINDS.error);
  const error = fromConnectError(JSON.parse(Buffer.from(body).toString()), number);
  return [error.reason, number];
};

test('calls are answered as they are done, each under its id', async () => {
  const slow = Promise.withResolvers<void>();
  const { writer, end, frames } = connect({
    getOrder: async (_ctx, { id }) => {
      if (id === 'o1') await slow.promise;
      return { id };
    },
  });
  writer.add(getFrame(1));
  writer.add(getFrame(2));
  const second = await end(2);
  assert.equal(fromBinary(getOrder.output, second.body).id, 'o2');
  slow.resolve();
  assert.equal(fromBinary(getOrder.output, (await end(1)).body).id, 'o1');
  assert.deepEqual(
    frames.map(({ kind }) => kind),
    [FRAME_KINDS.answer, FRAME_KINDS.answer],
  );
});

test('JSON is answered with JSON', async () => {
  const { writer, end } = connect();
  const body = Buffer.from('{"id":"o1"}');
  writer.add({ ...getFrame(1), text: 'json\0shop.v1.ShopService/GetOrder', body });
  assert.equal(JSON.parse(Buffer.from((await end(1)).body).toString()).id, 'o1');
});

test('who calls is asked of the headers of each call, and a token that is not good is nobody where anybody may call', async () => {
  const { writer, end } = connect();
  writer.add(reserveFrame(1, ['authorization', 'nobody']));
  writer.add(reserveFrame(2, ['authorization', 'stale']));
  writer.add(reserveFrame(3));
  assert.deepEqual(errorOf(await end(1)), ['RPC_UNAUTHENTICATED', 401]);
  assert.deepEqual(errorOf(await end(2)), ['RPC_UNAUTHENTICATED', 401]);
  assert.equal((await end(3)).kind, FRAME_KINDS.answer);
  writer.add(getFrame(4, ['authorization', 'stale']));
  assert.equal((await end(4)).kind, FRAME_KINDS.answer);
});

test('what cannot be served is refused by itself, and the channel stays', async () => {
  const { writer, end } = connect({}, { maxMessageBytes: 1000 });
  writer.add(callFrame(1, 'Nothing'));
  writer.add({ ...getFrame(2), text: 'xml\0shop.v1.ShopService/GetOrder' });
  writer.add({ ...getFrame(3), text: '' });
  writer.add(getFrame(4, ['a header without value']));
  writer.add(callFrame(5, 'GetOrder', Uint8Array.of(255, 255)));
  writer.add(callFrame(6, 'GetOrder', new Uint8Array(1001)));
  writer.add(callFrame(7, 'GetOrder', new Uint8Array(200_000)));
  writer.add(getFrame(8));
  const found = await Promise.all([1, 2, 3, 4, 5, 6, 7].map(async (id) => errorOf(await end(id))));
  assert.deepEqual(found, [
    ['RPC_UNKNOWN_METHOD', 501],
    ['RPC_MALFORMED_BODY', 400],
    ['RPC_MALFORMED_BODY', 400],
    ['RPC_MALFORMED_BODY', 400],
    ['RPC_MALFORMED_BODY', 400],
    ['RPC_BODY_TOO_LARGE', 429],
    ['RPC_BODY_TOO_LARGE', 429],
  ]);
  assert.equal((await end(8)).kind, FRAME_KINDS.answer);
});

test('a call without time left is not made', async () => {
  let calls = 0;
  const { writer, end } = connect({
    getOrder: async () => {
      calls++;
      return {};
    },
  });
  writer.add({ ...getFrame(1), number: 0 });
  assert.deepEqual(errorOf(await end(1)), ['SOUK_DEADLINE_EXCEEDED', 504]);
  assert.equal(calls, 0);
});

test('what a handler throws by accident says nothing, and its id is in the log', async () => {
  const { writer, end, lines } = connect({ getOrder: () => Promise.reject(new Error('select password')) });
  writer.add(getFrame(1));
  const { body } = await end(1);
  assert.doesNotMatch(Buffer.from(body).toString(), /select|password|\.ts/);
  assert.equal(lines.filter(({ fields }) => fields.errorId !== undefined).length, 1);
});

for (const [what, leave] of [
  ['cancels a call', ({ writer }) => writer.add(signal(FRAME_KINDS.cancel, 1))],
  ['is gone', ({ far }) => void far.destroy()],
] as const satisfies readonly (readonly [string, (world: ReturnType<typeof connect>) => void])[]) {
  test(`a handler hears that its caller ${what}`, async () => {
    const begun = Promise.withResolvers<Context>();
    const world = connect({
      getOrder: (ctx) => {
        begun.resolve(ctx);
        return new Promise((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
        });
      },
    });
    world.writer.add(getFrame(1));
    const { signal: gone } = await begun.promise;
    const heard = new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve()));
    leave(world);
    await heard;
  });
}

for (const [what, frames] of [
  ['an answer', [signal(FRAME_KINDS.answer, 1)]],
  ['two calls of one id', [getFrame(1), getFrame(1)]],
] as const) {
  test(`${what} from a client ends the channel`, async () => {
    const { writer, closed, lines } = connect({ getOrder: () => new Promise(() => {}) });
    for (const frame of frames) writer.add(frame);
    await closed;
    assert.ok(lines.some(({ level }) => level === 'warn'));
  });
}

test('what is no frame ends the channel', async () => {
  const { near, closed } = connect();
  near.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await closed;
});

test('a ping is answered, and a client that leaves is let go', async () => {
  const { near, writer, end, closed, server, frames } = connect();
  writer.add(signal(FRAME_KINDS.ping));
  assert.equal((await end(0)).kind, FRAME_KINDS.pong);
  frames.length = 0;
  server.goAway();
  assert.equal((await end(0)).kind, FRAME_KINDS.goAway);
  near.end();
  await closed;
});

test('while more calls are at work than a channel may have, nothing more is read from it', async () => {
  const go = Promise.withResolvers<void>();
  let begun = 0;
  const { writer, end, near } = connect({
    getOrder: async () => {
      begun++;
      await go.promise;
      return {};
    },
  });
  for (let id = 1; id <= 5000; id++) {
    writer.add(getFrame(id));
    // In writes of their own, as they come from a network.
    if (id % 100 === 0) writer.flush();
  }
  await new Promise((resolve) => setImmediate(resolve));
  for (let before = -1; before !== begun; await new Promise((resolve) => setImmediate(resolve))) before = begun;
  assert.ok(begun >= 2048 && begun < 2500, String(begun));
  go.resolve();
  assert.equal((await end(5000)).kind, FRAME_KINDS.answer);
  near.destroy();
});

test('calls pass the policy at the door', async () => {
  const rules = { rules: { server: { shed: null, bulkhead: { limit: 1, queueLimit: 0 } } } };
  const policies = createPolicyRegistry({ runtime, rules });
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { writer, end } = connect(
    {
      getOrder: async () => {
        begun.resolve();
        await go.promise;
        return {};
      },
    },
    { policies },
  );
  writer.add(getFrame(1));
  await begun.promise;
  writer.add(getFrame(2));
  assert.equal(errorOf(await end(2))[0], 'RESILIENCE_BULKHEAD_FULL');
  go.resolve();
  assert.equal((await end(1)).kind, FRAME_KINDS.answer);
});
