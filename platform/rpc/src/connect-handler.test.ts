import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Code, ConnectError, createClient as createConnectClient } from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport as createLibraryTransport,
} from '@connectrpc/connect-node';
import { type Context, rootContext, SoukError, systemRuntime } from '@souk/kernel';
import { serveShop } from '../test/server.ts';
import { type ShopHandlers, ShopService } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import { createClient, createConnectTransport } from './index.ts';

const library = (baseUrl: string, useBinaryFormat: boolean, useHttpGet = false) =>
  createConnectClient(
    ShopService,
    createLibraryTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat, useHttpGet }),
  );

const order = { items: [{ productId: 'p1', quantity: 2 }], shippingAddress: { line: 'Main St 1', country: 'DE' } };
const asAnna = { headers: { authorization: 'Bearer anna', 'idempotency-key': 'k1' } };

for (const binary of [true, false]) {
  const format = binary ? 'protobuf' : 'JSON';

  test(`the official client is served in ${format}`, async () => {
    await using shop = await serveShop();
    const client = library(shop.url, binary);
    const placed = await client.placeOrder(order, asAnna);
    assert.equal(placed.id, 'k1');
    assert.equal(placed.userId, 'anna');
    assert.equal(placed.items[0]?.quantity, 2);
    assert.equal((await client.getOrder({ id: 'o1' })).version, 7);
  });

  test(`the official client reads errors and their details in ${format}`, async () => {
    await using shop = await serveShop();
    const client = library(shop.url, binary);
    const broken = { ...order, items: [{ productId: 'p1', quantity: 1000 }] };
    const error = await client.placeOrder(broken, asAnna).then(
      () => assert.fail(),
      (thrown: unknown) => ConnectError.from(thrown),
    );
    assert.equal(error.code, Code.InvalidArgument);
    const details = error.details as { type: string }[];
    assert.deepEqual(
      details.map((detail) => detail.type),
      ['google.rpc.ErrorInfo', 'google.rpc.BadRequest'],
    );
    await assert.rejects(client.placeOrder(order), (thrown) => ConnectError.from(thrown).code === Code.Unauthenticated);
  });

  test(`a deadline of the official client reaches the handler in ${format}`, async () => {
    const left: number[] = [];
    await using shop = await serveShop({
      getOrder: async (ctx) => {
        left.push(ctx.remainingMs());
        return {};
      },
    });
    await library(shop.url, binary).getOrder({ id: 'o1' }, { timeoutMs: 700 });
    assert.ok(left[0]! > 0 && left[0]! <= 700, String(left));
  });
}

test('the official client reads by GET', async () => {
  await using shop = await serveShop();
  for (const binary of [true, false]) {
    assert.equal((await library(shop.url, binary, true).getOrder({ id: 'ö/1' })).id, 'ö/1');
  }
});

test('our client keeps every fact of an error, except its cause', async () => {
  const thrown = new SoukError({
    code: 'resource_exhausted',
    reason: 'SHOP_BUSY',
    message: 'too much at once',
    retry: { kind: 'later', afterMs: 1250 },
    httpStatus: 429,
    violations: [{ pointer: '/a', detail: 'must be b' }],
    details: { queue: 'orders' },
    cause: new Error('secret'),
  });
  await using shop = await serveShop({ placeOrder: () => Promise.reject(thrown) });
  const runtime = systemRuntime();
  const transport = createConnectTransport({
    baseUrl: shop.url,
    fetch,
    runtime,
    headers: () => ({ authorization: 'Bearer anna' }),
  });
  const client = createClient(ShopService, transport, { runtime, telemetry: recordTelemetry().telemetry });
  const ctx = rootContext({ runtime, timeoutMs: 1000, idempotencyKey: 'k2' });
  const error = await client.placeOrder(ctx, order).then(
    () => assert.fail(),
    (each: SoukError) => each,
  );
  const { code, reason, message, retry, httpStatus, violations, details, cause } = error;
  assert.deepEqual(
    { code, reason, message, retry, httpStatus, violations, details, cause },
    { ...pick(thrown), cause: undefined },
  );
});

const pick = ({ code, reason, message, retry, httpStatus, violations, details }: SoukError) => ({
  code,
  reason,
  message,
  retry,
  httpStatus,
  violations,
  details,
});

test('a call over HTTP stays in its trace, and takes no caller along', async () => {
  let seen: Context | undefined;
  const getOrder: ShopHandlers['getOrder'] = async (ctx) => {
    seen = ctx;
    return {};
  };
  await using shop = await serveShop({ getOrder });
  const runtime = systemRuntime();
  const transport = createConnectTransport({ baseUrl: shop.url, fetch, runtime });
  const options = { runtime, telemetry: recordTelemetry().telemetry, callerService: 'billing' };
  const client = createClient(ShopService, transport, options);
  const trace = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), sampled: true, tracestate: 'a=b' };
  await client.getOrder(rootContext({ runtime, timeoutMs: 1000, trace, caller: { userId: 'eve', roles: ['admin'] } }), {
    id: 'o',
  });
  assert.equal(seen?.trace.traceId, trace.traceId);
  assert.deepEqual(seen?.caller, { roles: [] });
});

test('our client says that a server cannot be reached', async () => {
  const runtime = systemRuntime();
  const transport = createConnectTransport({ baseUrl: 'http://127.0.0.1:1', fetch, runtime });
  const client = createClient(ShopService, transport, { runtime, telemetry: recordTelemetry().telemetry });
  await assert.rejects(client.charge(rootContext({ runtime, timeoutMs: 1000 }), {}), { reason: 'RPC_UNREACHABLE' });
});

const post = (url: string, headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>) =>
  fetch(`${url}/shop.v1.ShopService/GetOrder`, { method: 'POST', headers, body });

test('bad calls are refused by status and code', async () => {
  await using shop = await serveShop();
  const json = { 'content-type': 'application/json' };
  const cases = [
    { headers: { 'content-type': 'text/plain' }, body: '{}', status: 415, code: 'invalid_argument' },
    { headers: { ...json, 'connect-protocol-version': '2' }, body: '{}', status: 400, code: 'invalid_argument' },
    { headers: { ...json, 'connect-timeout-ms': 'soon' }, body: '{}', status: 400, code: 'invalid_argument' },
    { headers: { ...json, 'content-encoding': 'deflate' }, body: '{}', status: 501, code: 'unimplemented' },
    { headers: { ...json, 'content-encoding': 'gzip' }, body: '{}', status: 400, code: 'invalid_argument' },
    { headers: { ...json, 'content-encoding': 'br' }, body: '{}', status: 400, code: 'invalid_argument' },
    {
      headers: { ...json, 'content-encoding': 'gzip' },
      body: Uint8Array.from(gzipSync('x'.repeat(2_000_000))),
      status: 429,
      code: 'resource_exhausted',
    },
    { headers: { ...json, 'connect-timeout-ms': '0' }, body: '{}', status: 504, code: 'deadline_exceeded' },
    { headers: json, body: '{"id"', status: 400, code: 'invalid_argument' },
    { headers: json, body: '{"other":1}', status: 400, code: 'invalid_argument' },
    {
      headers: { 'content-type': 'application/proto' },
      body: Uint8Array.of(255, 255),
      status: 400,
      code: 'invalid_argument',
    },
  ];
  for (const { headers, body, status, code } of cases) {
    const response = await post(shop.url, headers, body);
    const answer = (await response.json()) as { code: string };
    assert.deepEqual([response.status, answer.code], [status, code], JSON.stringify(headers));
  }
});

for (const compression of [compressionGzip, compressionBrotli]) {
  test(`requests and large answers may be compressed with ${compression.name}`, async () => {
    const id = 'x'.repeat(1000);
    await using shop = await serveShop({ getOrder: async () => ({ id: id.repeat(3) }) });
    const transport = createLibraryTransport({
      baseUrl: shop.url,
      httpVersion: '1.1',
      sendCompression: compression,
      acceptCompression: [compression],
      compressMinBytes: 1,
    });
    assert.equal((await createConnectClient(ShopService, transport).getOrder({ id })).id.length, 3000);
    const asked = { headers: { 'accept-encoding': compression.name } };
    const query = 'encoding=json&message=%7B%22id%22%3A%22a%22%7D';
    const response = await fetch(`${shop.url}/shop.v1.ShopService/GetOrder?${query}`, asked);
    assert.equal(response.headers.get('content-encoding'), compression.name);
    assert.equal(response.headers.get('vary'), 'accept-encoding');
    assert.equal(((await response.json()) as { id: string }).id.length, 3000);
  });
}

test('small answers are not compressed, nor those for clients that want none', async () => {
  await using shop = await serveShop({ getOrder: async (_ctx, { id }) => ({ id: 'x'.repeat(Number(id)) }) });
  const encoding = async (length: number, accepted: string) => {
    const query = `encoding=json&message=${encodeURIComponent(JSON.stringify({ id: String(length) }))}`;
    const headers = { 'accept-encoding': accepted };
    const response = await fetch(`${shop.url}/shop.v1.ShopService/GetOrder?${query}`, { headers });
    assert.equal(((await response.json()) as { id: string }).id.length, length);
    return response.headers.get('content-encoding');
  };
  assert.equal(await encoding(10, 'gzip'), null);
  assert.equal(await encoding(3000, 'gzip;q=0, zstd'), null);
  assert.equal(await encoding(3000, 'identity'), null);
});

test('what is for services only is refused to everybody outside, whatever header they send', async () => {
  await using shop = await serveShop();
  const headers = { 'content-type': 'application/json', 'souk-caller': '{"roles":["admin"],"service":"orders"}' };
  const url = `${shop.url}/shop.v1.ShopService/ReserveStock`;
  const anonymous = await fetch(url, { method: 'POST', headers, body: '{}' });
  assert.equal(anonymous.status, 401);
  const admin = await fetch(url, {
    method: 'POST',
    headers: { ...headers, authorization: 'Bearer admin' },
    body: '{}',
  });
  assert.equal(admin.status, 403);
});

test('a method that changes something is not served by GET', async () => {
  await using shop = await serveShop();
  const response = await fetch(`${shop.url}/shop.v1.ShopService/Charge?encoding=json&message=%7B%7D`);
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'POST');
});
