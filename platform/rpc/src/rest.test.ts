import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import { serveShop, type TestServer } from '../test/server.ts';
import { ShopService, shopHandlers } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import { createRouter, restHandler } from './index.ts';

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly instance: string;
  readonly traceId: string;
  readonly errors?: { pointer: string; detail: string }[];
}

const anna = { authorization: 'Bearer anna' };
const json = { 'content-type': 'application/json' };
const order = { items: [{ productId: 'p1', quantity: 2 }], shipping_address: { line: 'Main St 1', country: 'DE' } };

async function send(shop: TestServer, verb: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const init = { method: verb, headers, ...(body === undefined ? {} : { body }) };
  const response = await fetch(`${shop.url}${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: text === '' ? undefined : JSON.parse(text) };
}

const place = (shop: TestServer, body: unknown, headers: Record<string, string> = {}) =>
  send(
    shop,
    'POST',
    '/v1/orders',
    { ...anna, ...json, 'idempotency-key': 'k1', ...headers },
    typeof body === 'string' ? body : JSON.stringify(body),
  );

test('a method that creates answers 201 with every field, also those that are zero', async () => {
  await using shop = await serveShop();
  const placed = await place(shop, order);
  assert.equal(placed.status, 201);
  assert.equal(placed.headers.get('etag'), '"0"');
  assert.deepEqual(placed.json, {
    id: 'k1',
    userId: 'anna',
    status: 'PLACED',
    items: [{ productId: 'p1', quantity: 2 }],
    total: '0',
    version: 0,
    address: { line: 'Main St 1', country: 'DE' },
  });
});

test('a header fills the field that the contract binds to it, unless the body has set it', async () => {
  await using shop = await serveShop();
  assert.equal((await place(shop, order, { prefer: 'wait' })).json.status, 'SHIPPED');
  assert.equal((await place(shop, { ...order, prefer: 'no' }, { prefer: 'wait' })).json.status, 'PLACED');
  const admin = { authorization: 'Bearer admin', ...json };
  const updated = await send(shop, 'PUT', '/v1/orders/o1', { ...admin, 'if-match': '"3"' }, '{"status":"SHIPPED"}');
  assert.deepEqual([updated.status, updated.json.id, updated.json.userId], [200, 'o1', '"3"']);
});

test('path and query fill the request, in either spelling', async () => {
  await using shop = await serveShop();
  const path = '/v1/users/u%C3%B61/orders?page_size=5&tags=a&tags=b&status=SHIPPED&total.from=3&total.to=4&open=true';
  const first = (await send(shop, 'GET', path)).json;
  assert.deepEqual(
    [
      first.orders[0].userId,
      first.orders[0].version,
      first.orders[0].id,
      first.orders[0].status,
      first.orders[0].total,
    ],
    ['uö1', 5, 'a+b', 'SHIPPED', '7'],
  );
  assert.equal(first.nextPageToken, 'open');
  const second = (await send(shop, 'GET', '/v1/orders?pageSize=6&status=1')).json;
  assert.deepEqual([second.orders[0].version, second.orders[0].status, second.nextPageToken], [6, 'PLACED', '']);
});

test('a body may be one field, as JSON or raw', async () => {
  const seen: unknown[] = [];
  await using shop = await serveShop({
    takeNotice: async (_ctx, { provider, payload, signature }) => {
      seen.push([provider, Buffer.from(payload).toString(), signature]);
      return {};
    },
  });
  const moved = await send(shop, 'PUT', '/v1/orders/o1/address', json, '{"line":"x","country":"FR"}');
  assert.deepEqual([moved.json.id, moved.json.address.country], ['o1', 'FR']);
  const headers = { 'content-type': 'text/plain', 'souk-signature': 's1' };
  const noticed = await send(shop, 'POST', '/v1/notices/acme', headers, '{"a": 1 }');
  assert.equal(noticed.status, 200);
  assert.deepEqual(seen, [['acme', '{"a": 1 }', 's1']]);
});

test('bad bodies are refused with a problem that points at what is wrong', async () => {
  await using shop = await serveShop();
  const cases: [body: unknown, code: string, pointers: string[]][] = [
    ['{"items":[}', 'RPC_MALFORMED_BODY', []],
    ['[1]', 'RPC_INVALID_REQUEST', ['']],
    ['"a"', 'RPC_INVALID_REQUEST', ['']],
    ['null', 'RPC_INVALID_REQUEST', ['']],
    ['', 'RPC_INVALID_REQUEST', ['/items', '/shippingAddress']],
    [{ ...order, total: 1 }, 'RPC_INVALID_REQUEST', ['/total']],
    ['{"__proto__":{"userId":"x"}}', 'RPC_INVALID_REQUEST', ['/__proto__']],
    [
      { ...order, items: [{ productId: 7, quantity: 'x' }] },
      'RPC_INVALID_REQUEST',
      ['/items/0/productId', '/items/0/quantity'],
    ],
    [{ ...order, items: [{ productId: 'a', quantity: 1000 }] }, 'RPC_INVALID_REQUEST', ['/items/0/quantity']],
    [{ ...order, shippingAddress: order.shipping_address }, 'RPC_INVALID_REQUEST', ['/shippingAddress']],
    [{ ...order, shipping_address: { line: 'x', country: 'XX' } }, 'RPC_INVALID_REQUEST', ['/shippingAddress/country']],
  ];
  for (const [body, code, pointers] of cases) {
    const answer = await place(shop, body);
    const problem = answer.json as Problem;
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.deepEqual([answer.status, problem.status, problem.code], [400, 400, code], JSON.stringify(body));
    assert.deepEqual(
      (problem.errors ?? []).map((error) => error.pointer),
      pointers,
      JSON.stringify(body),
    );
    assert.match(problem.traceId, /^[0-9a-f]{32}$/);
    assert.equal(problem.instance, '/v1/orders');
  }
});

test('a broken body says where, not what', async () => {
  await using shop = await serveShop();
  const { detail } = (await place(shop, '{"password":"hunter2",}')).json as Problem;
  assert.match(detail, /position 22/);
  assert.doesNotMatch(detail, /hunter2/);
});

test('queries that do not fit are refused', async () => {
  await using shop = await serveShop();
  const cases: [query: string, pointer: string][] = [
    ['page_size=x', '/pageSize'],
    ['page_size=1&page_size=2', '/pageSize'],
    ['page_size=1&pageSize=2', '/pageSize'],
    ['page_size=101', '/pageSize'],
    ['status=GONE', '/status'],
    ['status=77', '/status'],
    ['open=maybe', '/open'],
    ['total.from.x=1', '/total.from.x'],
    ['nothing=1', '/nothing'],
    ['__proto__=1', '/__proto__'],
    ['tags.constructor=1', '/tags.constructor'],
    ['user_id=other', '/userId'],
  ];
  for (const [query, pointer] of cases) {
    const answer = await send(shop, 'GET', `/v1/users/u1/orders?${query}`);
    assert.equal(answer.status, 400, query);
    assert.deepEqual(
      (answer.json as Problem).errors?.map((error) => error.pointer),
      [pointer],
      query,
    );
  }
});

test('a body that contradicts the address is refused', async () => {
  await using shop = await serveShop();
  const headers = { authorization: 'Bearer admin', ...json };
  const same = await send(shop, 'PUT', '/v1/orders/o1', headers, '{"id":"o1","status":1}');
  assert.equal(same.status, 200);
  const other = await send(shop, 'PUT', '/v1/orders/o1', headers, '{"id":"o2","status":1}');
  assert.deepEqual([other.status, other.json.errors[0].pointer], [400, '/id']);
});

test('content that is not JSON in UTF-8 is refused', async () => {
  await using shop = await serveShop();
  for (const type of ['text/plain', 'application/json; charset=latin1', 'multipart/form-data']) {
    assert.equal((await place(shop, order, { 'content-type': type })).status, 415, type);
  }
  assert.equal((await place(shop, order, { 'content-type': 'application/json; charset=UTF-8' })).status, 201);
  assert.equal((await place(shop, order, { 'content-encoding': 'compress' })).status, 415);
});

test('a body over the limit is refused and the connection closed', async () => {
  await using shop = await serveShop({}, { limits: { maxBodyBytes: 100 } });
  const told = await place(shop, { ...order, prefer: 'x'.repeat(100) });
  assert.deepEqual([told.status, told.json.code, told.headers.get('connection')], [413, 'RPC_BODY_TOO_LARGE', 'close']);
  // Without a length the server finds out while it reads.
  const status = await new Promise((resolve, reject) => {
    const headers = { ...anna, ...json, 'idempotency-key': 'k', 'transfer-encoding': 'chunked' };
    const sent = request(`${shop.url}/v1/orders`, { method: 'POST', headers }, (response) =>
      resolve(response.statusCode),
    );
    sent.on('error', reject);
    sent.write('x'.repeat(80));
    sent.write('x'.repeat(80));
  });
  assert.equal(status, 413);
});

test('who may not call is refused before the request is read', async () => {
  await using shop = await serveShop();
  const anonymous = await send(shop, 'POST', '/v1/orders', json, '{');
  assert.equal(anonymous.status, 401);
  assert.equal(anonymous.headers.get('www-authenticate'), 'Bearer realm="souk"');
  assert.equal((await send(shop, 'PUT', '/v1/orders/o1', { ...anna, ...json }, '{')).status, 403);
  assert.equal((await place(shop, { ...order, userId: 'berta' })).json.code, 'RPC_PERMISSION_DENIED');
  assert.equal((await place(shop, { ...order, userId: 'anna' })).status, 201);
  assert.equal((await place(shop, { ...order, userId: 'berta' }, { authorization: 'Bearer admin' })).status, 201);
});

test('a stale token is refused, except where nobody needs one', async () => {
  await using shop = await serveShop();
  const stale = { authorization: 'Bearer stale' };
  assert.equal((await send(shop, 'GET', '/v1/orders/o1', stale)).status, 200);
  assert.equal((await place(shop, order, stale)).status, 401);
});

test('a key is demanded where the contract does, bare or quoted', async () => {
  await using shop = await serveShop();
  const without = await send(shop, 'POST', '/v1/orders', { ...anna, ...json }, JSON.stringify(order));
  assert.deepEqual([without.status, without.json.code], [400, 'IDEMPOTENCY_KEY_REQUIRED']);
  assert.equal((await place(shop, order, { 'idempotency-key': '"a\\"b"' })).json.id, 'a"b');
  assert.equal((await place(shop, order, { 'idempotency-key': 'x'.repeat(256) })).json.code, 'IDEMPOTENCY_KEY_INVALID');
});

test('a version is an entity tag, and a client that has it is told so', async () => {
  await using shop = await serveShop();
  const got = await send(shop, 'GET', '/v1/orders/o1');
  assert.equal(got.headers.get('etag'), '"7"');
  for (const tag of ['"7"', 'W/"7"', '"1", "7"', '*']) {
    const again = await send(shop, 'GET', '/v1/orders/o1', { 'if-none-match': tag });
    assert.deepEqual([again.status, again.text, again.headers.get('etag')], [304, '', '"7"'], tag);
  }
  assert.equal((await send(shop, 'GET', '/v1/orders/o1', { 'if-none-match': '"6"' })).status, 200);
});

test('HEAD answers as GET does, without a body', async () => {
  await using shop = await serveShop();
  const { status, headers, text } = await send(shop, 'HEAD', '/v1/orders/o1');
  assert.deepEqual([status, headers.get('etag'), text], [200, '"7"', '']);
  assert.ok(Number(headers.get('content-length')) > 0);
});

test('an unknown address is 404, a known one with another verb 405', async () => {
  await using shop = await serveShop();
  for (const path of ['/', '/v1', '/v1/orders/', '/v1/orders/a/b', '/v1//o1', '/V1/orders/o1']) {
    assert.equal((await send(shop, 'GET', path)).status, 404, path);
  }
  const wrong = await send(shop, 'DELETE', '/v1/orders/o1');
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, PUT, HEAD']);
  assert.equal((await send(shop, 'OPTIONS', '/v1/orders')).status, 405);
});

test('addresses that programs read differently are refused', async () => {
  await using shop = await serveShop();
  for (const path of [
    '/v1/orders/a%2Fb',
    '/v1/orders/%00',
    '/v1/orders/%',
    '/v1/orders/%c0%af',
    '/v1/orders/..',
    '/v1/orders/a\\b',
    '/v1/orders/%2e%2e',
  ]) {
    assert.equal(await rawStatus(shop, path), 400, path);
  }
  assert.equal(await rawStatus(shop, 'http://elsewhere/v1/orders/o1'), 404);
});

/** `fetch` would tidy the path up. */
const rawStatus = (shop: TestServer, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(shop.url).port), '127.0.0.1');
    socket.on('error', reject);
    socket.on('data', (data) => {
      socket.destroy();
      resolve(Number(data.toString().split(' ')[1]));
    });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  });

test('two methods cannot claim the same verb and path', () => {
  const router = createRouter({ runtime: systemRuntime(), telemetry: recordTelemetry().telemetry });
  router.add(ShopService, shopHandlers());
  const twice = new Map([...router.methods, ['copy', [...router.methods.values()][0]!]]);
  assert.throws(() => restHandler({ ...router, methods: twice }, systemRuntime()), { reason: 'RPC_BAD_ROUTE' });
});
