import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Caller, type SoukError, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import { OrderSchema, type ShopHandlers, ShopService, shopHandlers } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import { createRouter, type Interceptor, type RouterOptions, type WireRequest } from './index.ts';

const ANNA: Caller = { userId: 'anna', roles: [] };
const ADMIN: Caller = { userId: 'root', roles: ['admin'] };
const SERVICE: Caller = { roles: [], service: 'orders' };
const FOR_ANNA: Caller = { ...ANNA, service: 'orders' };
const NOBODY: Caller = { roles: [] };

function setUp(own: Partial<ShopHandlers> = {}, options: Partial<RouterOptions> = {}) {
  const runtime: VirtualRuntime = virtualRuntime();
  const recorded = recordTelemetry();
  const router = createRouter({ runtime, telemetry: recorded.telemetry, ...options });
  router.add(ShopService, shopHandlers(own));
  const call = (method: string, json: object, caller: Caller, more: Partial<WireRequest> = {}) =>
    router.handle(
      {
        method: `shop.v1.ShopService/${method}`,
        headers: { 'idempotency-key': 'k' },
        codec: 'json',
        body: Buffer.from(JSON.stringify(json)),
        timeoutMs: undefined,
        signal: undefined,
        ...more,
      },
      caller,
    );
  return { ...recorded, runtime, router, call };
}

const order = { items: [{ productId: 'p', quantity: 1 }], shippingAddress: { line: 'x', country: 'DE' } };
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: SoukError) => error.reason,
  );

test('each kind of caller gets what the access rules give, and no more', async () => {
  const { call } = setUp();
  const no = 'RPC_PERMISSION_DENIED';
  const who = 'RPC_UNAUTHENTICATED';
  const table: [method: string, request: object, outcomes: string[]][] = [
    // nobody, anna, admin, service, service for anna
    ['GetOrder', { id: 'o' }, ['ok', 'ok', 'ok', 'ok', 'ok']],
    ['PlaceOrder', order, [who, 'ok', 'ok', 'ok', 'ok']],
    ['PlaceOrder', { ...order, userId: 'anna' }, [who, 'ok', 'ok', 'ok', 'ok']],
    ['PlaceOrder', { ...order, userId: 'berta' }, [who, no, 'ok', 'ok', 'ok']],
    ['UpdateOrder', { id: 'o', status: 'PLACED' }, [who, no, 'ok', 'ok', 'ok']],
    ['ReserveStock', {}, [who, no, no, 'ok', 'ok']],
    ['Charge', {}, [who, no, no, 'ok', 'ok']],
  ];
  for (const [method, request, expected] of table) {
    const callers = [NOBODY, ANNA, ADMIN, SERVICE, FOR_ANNA];
    const outcomes = await Promise.all(callers.map((caller) => outcome(call(method, request, caller))));
    assert.deepEqual(outcomes, expected, `${method} ${JSON.stringify(request)}`);
  }
});

test('the same call works in protobuf and in JSON', async () => {
  const { call, router } = setUp();
  const input = router.methods.get('shop.v1.ShopService/GetOrder')!.desc.input;
  const body = toBinary(input, create(input, { id: 'o1' } as never));
  const binary = await call('GetOrder', {}, NOBODY, { codec: 'proto', body });
  assert.equal(fromBinary(OrderSchema, binary.body).id, 'o1');
  const json = await call('GetOrder', { id: 'o1' }, NOBODY);
  assert.equal(JSON.parse(Buffer.from(json.body).toString()).id, 'o1');
});

test('what breaks the contract never reaches the handler', async () => {
  let calls = 0;
  const { call } = setUp({ getOrder: async () => ({ version: ++calls }) });
  const broken = { codec: 'proto', body: Uint8Array.of(0xff) } as const;
  assert.equal(await outcome(call('GetOrder', {}, NOBODY)), 'RPC_INVALID_REQUEST');
  assert.equal(await outcome(call('GetOrder', { id: 'a\u0000' }, NOBODY)), 'RPC_INVALID_REQUEST');
  assert.equal(await outcome(call('GetOrder', {}, NOBODY, broken)), 'RPC_MALFORMED_BODY');
  assert.equal(await outcome(call('Nothing', {}, NOBODY)), 'RPC_UNKNOWN_METHOD');
  assert.equal(await outcome(call('PlaceOrder', order, ANNA, { headers: {} })), 'IDEMPOTENCY_KEY_REQUIRED');
  assert.equal(calls, 0);
});

test('a handler that ignores its deadline is cut off at it', async () => {
  const { call, runtime } = setUp({ getOrder: () => new Promise(() => {}) });
  const waiting = outcome(call('GetOrder', { id: 'o' }, NOBODY, { timeoutMs: 200 }));
  await runtime.advance(199);
  assert.equal(runtime.pendingTimers, 1);
  await runtime.advance(1);
  assert.equal(await waiting, 'SOUK_DEADLINE_EXCEEDED');
  assert.equal(runtime.pendingTimers, 0);
});

test('no caller can ask for more time than the server gives', async () => {
  const left: number[] = [];
  const getOrder: ShopHandlers['getOrder'] = async (ctx) => {
    left.push(ctx.remainingMs());
    return {};
  };
  const { call, runtime } = setUp({ getOrder });
  await call('GetOrder', { id: 'o' }, NOBODY, { timeoutMs: 1e9 });
  await call('GetOrder', { id: 'o' }, NOBODY);
  await call('GetOrder', { id: 'o' }, NOBODY, { timeoutMs: 40 });
  assert.deepEqual(left, [30_000, 30_000, 40]);
  await runtime.advance(10_000);
  assert.equal(runtime.pendingTimers, 0);
});

test('a caller who gives up cancels the handler', async () => {
  const gone = new AbortController();
  let signal: AbortSignal | undefined;
  const { call } = setUp({
    getOrder: (ctx) => {
      signal = ctx.signal;
      return new Promise(() => {});
    },
  });
  const waiting = outcome(call('GetOrder', { id: 'o' }, NOBODY, { signal: gone.signal }));
  gone.abort();
  assert.equal(await waiting, 'SOUK_CANCELED');
  assert.equal(signal?.aborted, true);
});

test('what a handler throws by accident stays in the log, under an id that the caller gets', async () => {
  const secret = new TypeError('password hunter2');
  const { call, lines } = setUp({ getOrder: () => Promise.reject(secret) });
  const error = await call('GetOrder', { id: 'o' }, NOBODY).then(
    () => assert.fail(),
    (thrown: SoukError) => thrown,
  );
  assert.deepEqual(
    [error.code, error.reason, error.message],
    ['internal', 'SOUK_INTERNAL', 'something went wrong on our side'],
  );
  const line = lines.find((each) => each.level === 'error');
  assert.equal((line?.fields.err as Error | undefined)?.cause, secret);
  assert.equal(line?.fields.errorId, error.details.errorId);
  assert.match(String(line?.fields.trace_id), /^[0-9a-f]{32}$/);
});

test('a call continues the trace it came with, and is counted with its code', async () => {
  const traces: string[] = [];
  const { call, spans, series } = setUp({
    getOrder: async (ctx) => {
      traces.push(ctx.trace.traceId);
      return {};
    },
  });
  const traceId = 'a'.repeat(32);
  const headers = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` };
  await call('GetOrder', { id: 'o' }, NOBODY, { headers });
  await outcome(call('GetOrder', {}, NOBODY, { headers }));
  assert.deepEqual(traces, [traceId]);
  const name = 'shop.v1.ShopService/GetOrder';
  assert.deepEqual(spans, [
    { name, kind: 'server', reason: undefined, ended: 1 },
    { name, kind: 'server', reason: 'RPC_INVALID_REQUEST', ended: 1 },
  ]);
  for (const code of ['ok', 'invalid_argument']) {
    assert.ok(series.includes(`rpc_server_requests_total{method="${name}",code="${code}"}`), series.join('\n'));
  }
});

test('interceptors wrap the handler, the first outermost, and see decoded calls', async () => {
  const seen: string[] = [];
  const named =
    (name: string): Interceptor =>
    (next) =>
    async (call) => {
      seen.push(`${name} ${(call.request as unknown as { id: string }).id}`);
      const response = await next(call);
      seen.push(`${name} done`);
      return response;
    };
  const { call } = setUp({}, { interceptors: [named('a'), named('b')] });
  await call('GetOrder', { id: 'o1' }, NOBODY);
  assert.deepEqual(seen, ['a o1', 'b o1', 'b done', 'a done']);
});

test('an answer that breaks the contract is found when tests ask for it', async () => {
  const getOrder: ShopHandlers['getOrder'] = async () => ({ items: [{ productId: '', quantity: 1 }] });
  const { call } = setUp({ getOrder }, { validateResponses: true });
  assert.equal(await outcome(call('GetOrder', { id: 'o' }, NOBODY)), 'RPC_BAD_RESPONSE');
  assert.equal(await outcome(setUp({ getOrder }).call('GetOrder', { id: 'o' }, NOBODY)), 'ok');
});

test('a service is served whole and once', () => {
  const { router } = setUp();
  assert.throws(() => router.add(ShopService, shopHandlers()), { reason: 'RPC_SERVED_TWICE' });
  const empty = createRouter({ runtime: virtualRuntime(), telemetry: recordTelemetry().telemetry });
  assert.throws(() => empty.add(ShopService, {} as ShopHandlers), { reason: 'RPC_NO_HANDLER' });
});
