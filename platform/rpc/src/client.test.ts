import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Context, kernelErrors, rootContext, SoukError, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import { type ShopHandlers, ShopService, shopHandlers } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import { createClient, createInProcessTransport, createRouter } from './index.ts';

function setUp(own: Partial<ShopHandlers> = {}) {
  const runtime: VirtualRuntime = virtualRuntime();
  const recorded = recordTelemetry();
  const { telemetry } = recorded;
  const router = createRouter({ runtime, telemetry });
  router.add(ShopService, shopHandlers(own));
  const options = { runtime, telemetry, callerService: 'orders' };
  return { ...recorded, runtime, client: createClient(ShopService, createInProcessTransport(router), options) };
}

const order = { items: [{ productId: 'p', quantity: 1 }], shippingAddress: { line: 'x', country: 'DE' } };
const later = (afterMs?: number) => kernelErrors.QUEUE_FULL({ queue: 'q' }, afterMs === undefined ? {} : { afterMs });
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: SoukError) => error.reason,
  );

test('a handler sees who calls, for whom, under which key and with how much time', async () => {
  const seen: Context[] = [];
  const { client, runtime } = setUp({
    placeOrder: async (ctx) => {
      seen.push(ctx);
      return {};
    },
  });
  const ctx = rootContext({ runtime, caller: { userId: 'anna', roles: ['vip'] }, idempotencyKey: 'k1' });
  await client.placeOrder(ctx, order);
  await client.placeOrder(ctx, order, { idempotencyKey: 'k2', timeoutMs: 70 });
  await client.placeOrder(ctx.with({ timeoutMs: 50 }), order, { timeoutMs: 70 });
  assert.deepEqual(seen[0]?.caller, { userId: 'anna', roles: ['vip'], service: 'orders' });
  assert.equal(seen[0]?.trace.traceId, ctx.trace.traceId);
  assert.deepEqual(
    seen.map((each) => each.idempotencyKey),
    ['k1', 'k2', 'k1'],
  );
  assert.deepEqual(
    seen.map((each) => each.deadlineMs - runtime.clock.monotonicMs()),
    [10_000, 70, 50],
  );
});

test('the contract says how long a call may take', async () => {
  const { client, runtime } = setUp({ reserveStock: () => new Promise(() => {}) });
  const waiting = reasonOf(client.reserveStock(rootContext({ runtime }), {}));
  await runtime.advance(499);
  await runtime.advance(1);
  assert.equal(await waiting, 'SOUK_DEADLINE_EXCEEDED');
});

test('messages are copies: neither side can reach into the other', async () => {
  const item = { productId: 'p', quantity: 1 };
  let received: { quantity: number } | undefined;
  const answered = { id: 'o', items: [item] };
  const { client, runtime } = setUp({
    placeOrder: async (_ctx, { items }) => {
      received = items[0];
      return answered as never;
    },
  });
  const placed = await client.placeOrder(rootContext({ runtime, idempotencyKey: 'k' }), { ...order, items: [item] });
  assert.notEqual(received, item);
  assert.notEqual(placed.items[0], item);
});

test('an error keeps all that may travel and loses its cause', async () => {
  const thrown = new SoukError({
    code: 'aborted',
    reason: 'SHOP_STALE',
    message: 'changed meanwhile',
    retry: { kind: 'never' },
    httpStatus: 412,
    violations: [{ pointer: '/etag', detail: 'is old' }],
    details: { version: '8' },
    cause: new Error('row 5'),
  });
  const { client, runtime } = setUp({ charge: () => Promise.reject(thrown) });
  const error = await client.charge(rootContext({ runtime }), {}).then(
    () => assert.fail(),
    (each: SoukError) => each,
  );
  assert.notEqual(error, thrown);
  assert.equal(error.cause, undefined);
  for (const key of ['code', 'reason', 'message', 'retry', 'httpStatus', 'violations', 'details'] as const) {
    assert.deepEqual(error[key], thrown[key], key);
  }
});

test('what may be repeated is repeated, up to three attempts', async () => {
  const attempts = { getOrder: 0, reserveStock: 0, placeOrder: 0, charge: 0 };
  const { client, runtime } = setUp({
    getOrder: () => (++attempts.getOrder < 3 ? Promise.reject(later()) : Promise.resolve({ id: 'got' })),
    reserveStock: async () => {
      attempts.reserveStock += 1;
      throw later();
    },
    placeOrder: async () => {
      attempts.placeOrder += 1;
      throw later();
    },
    charge: async () => {
      attempts.charge += 1;
      throw later();
    },
  });
  const ctx = rootContext({ runtime });
  const work = Promise.all([
    reasonOf(client.getOrder(ctx, { id: 'o' })),
    reasonOf(client.reserveStock(ctx, {})),
    reasonOf(client.placeOrder(ctx, order, { idempotencyKey: 'k' })),
    reasonOf(client.charge(ctx, {})),
  ]);
  await runtime.advance(5000);
  assert.deepEqual(await work, ['ok', ...Array(3).fill('SOUK_QUEUE_FULL')]);
  assert.deepEqual(attempts, { getOrder: 3, reserveStock: 3, placeOrder: 3, charge: 1 });
});

test('an error that no repeat can help is not repeated', async () => {
  let attempts = 0;
  const { client, runtime } = setUp({
    getOrder: async () => {
      attempts += 1;
      throw kernelErrors.CANCELED();
    },
  });
  assert.equal(await reasonOf(client.getOrder(rootContext({ runtime }), { id: 'o' })), 'SOUK_CANCELED');
  assert.equal(attempts, 1);
});

test('no attempt starts before the server asked for it, nor after the deadline', async () => {
  const atMs: number[] = [];
  const { client, runtime } = setUp({
    getOrder: async () => {
      atMs.push(runtime.clock.monotonicMs());
      throw later(400);
    },
  });
  const work = reasonOf(client.getOrder(rootContext({ runtime, timeoutMs: 700 }), { id: 'o' }));
  await runtime.advance(2000);
  assert.equal(await work, 'SOUK_QUEUE_FULL');
  assert.equal(atMs.length, 2);
  assert.ok(atMs[1]! >= 400 && atMs[1]! <= 450, String(atMs));
});

test('a call whose time is over is not sent', async () => {
  let calls = 0;
  const { client, runtime } = setUp({ charge: async () => ({ calls: calls++ }) as never });
  const ctx = rootContext({ runtime, timeoutMs: 10 });
  await runtime.advance(10);
  assert.equal(await reasonOf(client.charge(ctx, {})), 'SOUK_DEADLINE_EXCEEDED');
  const gone = new AbortController();
  gone.abort();
  assert.equal(await reasonOf(client.charge(rootContext({ runtime, signal: gone.signal }), {})), 'SOUK_CANCELED');
  assert.equal(calls, 0);
});

test('values that no message can hold are the caller\u2019s fault', async () => {
  const { client, runtime } = setUp();
  const bad = { ...order, items: [{ productId: 'p', quantity: 1.5 }] };
  assert.equal(await reasonOf(client.placeOrder(rootContext({ runtime }), bad)), 'RPC_BAD_CALL');
});

test('a sampled call has a client span and a server span, an unsampled one no client span', async () => {
  const { client, runtime, spans } = setUp();
  await client.getOrder(rootContext({ runtime }), { id: 'o' });
  assert.deepEqual(
    spans.map((span) => [span.kind, span.ended]),
    [
      ['client', 1],
      ['server', 1],
    ],
  );
  const trace = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: false };
  await client.getOrder(rootContext({ runtime, trace }), { id: 'o' });
  assert.deepEqual(
    spans.slice(2).map((span) => span.kind),
    ['server'],
  );
});

test('nothing is left behind by calls that are over', async () => {
  const { client, runtime } = setUp();
  using ctx = rootContext({ runtime, timeoutMs: 1000 });
  for (let index = 0; index < 20; index++) await client.getOrder(ctx, { id: 'o' });
  // One of the client's policies and one of the router, whatever the number of calls.
  assert.ok(runtime.pendingTimers <= 2, String(runtime.pendingTimers));
});
