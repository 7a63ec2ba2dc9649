import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import { Order_Status, OrderService } from '@souk/contracts/orders/v1/orders';
import { allMetrics } from '../support/all-metrics.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { ADDRESS, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly service: string;
  readonly links?: readonly { readonly traceId: string }[];
}

let shop: ShopProcess;
let client: ShopClient;
let collector: Server;
const spans: Span[] = [];
let sentToCollector = '';

before(async () => {
  collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      sentToCollector += body;
      if (request.url?.endsWith('/v1/traces')) spans.push(...readSpans(body));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => collector.once('listening', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  shop = await startShop({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, args: ['--log.level=debug'] });
  client = shopClient(shop);
});
after(async () => {
  await shop?.kill9();
  collector.closeAllConnections();
  collector.close();
});

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, 'service'>[] }[];
  }[];
}

const readSpans = (body: string): Span[] =>
  (JSON.parse(body) as OtlpTraces).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service })));
  });

const metrics = async (): Promise<string> => await allMetrics(client);

test('metrics count what happened, by routes and never by ids', async () => {
  const [buyer, productId] = [await client.buyer(), await client.product(5)];
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
  await client.getOrder(buyer.token, id);
  await client.call('GET', `/api/v1/orders/${id}/nothing/${id}`);
  const page = await metrics();
  assert.match(
    page,
    /^http_requests_total\{[^}]*method="POST"[^}]*route="\/api\/v1\/orders"[^}]*status="201"[^}]*\} [1-9]/m,
  );
  assert.match(page, /^http_requests_total\{[^}]*route="\/api\/v1\/orders\/\{id\}"[^}]*\} [1-9]/m);
  assert.match(page, /^http_request_duration_seconds_bucket\{[^}]*le="\+Inf"[^}]*\} [1-9]/m);
  assert.match(page, /^business_events_total\{[^}]*event="order_confirmed"[^}]*\} [1-9]/m);
  assert.match(page, /^active_connections\{[^}]*\} [1-9]/m);
  assert.match(page, /^process_start_time_seconds\S* \d/m);
  assert.doesNotMatch(page, /(ord|usr|prd|pay|pm)_[0-9a-f]{8}-/);
});

test('the trace of a client leads to what every service did, and is in the answer to a failure', async () => {
  const [buyer, productId] = [await client.buyer(), await client.product(5)];
  const traceId = randomBytes(16).toString('hex');
  const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
  const failed = await client.call('GET', '/api/v1/orders/ord_x', { token: buyer.token, headers });
  assert.equal(failed.body.traceId, traceId);
  const placed = await client.call<{ id: string }>('POST', '/api/v1/orders', {
    token: buyer.token,
    key: randomUUID(),
    headers: { ...headers, prefer: 'wait=10' },
    body: {
      items: [{ productId, quantity: 1 }],
      paymentMethodId: buyer.paymentMethodId,
      shippingAddress: ADDRESS,
    },
  });
  assert.equal(placed.headers.get('x-trace-id'), traceId);
  await client.settled(buyer.token, placed.body.id);
  await eventually(async () => {
    const asked = spans.filter((span) => span.traceId === traceId);
    assert.ok(asked.some(({ name }) => /OrderService\/PlaceOrder/.test(name)));
    // The saga outlives the request, so its trace is one of its own that names the other.
    const saga = spans.find(({ links }) => links?.some((link) => link.traceId === traceId));
    assert.match(saga?.name ?? '', /place-order/);
    const done = spans.filter((span) => span.traceId === saga?.traceId);
    const services = new Set(done.map(({ service }) => service));
    for (const wanted of ['orders', 'inventory', 'payments', 'shipping', 'loyalty', 'notifications'])
      assert.ok(services.has(wanted), `no span of ${wanted} among those of ${[...services]}`);
    const names = done.map(({ name }) => name).join('\n');
    assert.match(names, /InventoryService\/ReserveStock/);
    assert.match(names, /reserve-stock/);
    const ids = new Set(done.map(({ spanId }) => spanId));
    for (const { name, parentSpanId, spanId } of done)
      if (spanId !== saga?.spanId) assert.ok(ids.has(parentSpanId ?? ''), `${name} hangs on nothing`);
  }, 15_000);
});

test('no secret and nothing personal is in logs, metrics or spans', async () => {
  const canary = `canary${randomUUID().replaceAll('-', '')}`;
  const user = await client.register({
    email: `${canary}@example.com`,
    password: `${canary}-pass`,
    profile: { firstName: `${canary}-first`, lastName: `${canary}-last` },
  });
  const token = await client.login(user.email, user.password);
  const productId = await client.product(5);
  const paymentMethodId = await client.addCard(token);
  const body = {
    items: [{ productId, quantity: 1 }],
    paymentMethodId,
    shippingAddress: { ...ADDRESS, name: `${canary}-name`, line1: `${canary}-street`, city: `${canary}-city` },
  };
  const { id } = await client.ok<{ id: string }>('POST', '/api/v1/orders', { token, key: randomUUID(), body });
  await client.settled(token, id);
  // Mistakes are what ends up in logs.
  await client.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: `${canary}-wrong` } });
  await client.call('POST', '/api/v1/users', { body: { email: user.email, password: `${canary}-pass` } });
  await client.call('POST', '/api/v1/users', { body: { email: canary, password: canary, [canary]: canary } });
  await client.call('POST', '/api/v1/payment-methods', { token, body: { token: `${canary}-card` } });
  await client.call('POST', '/api/v1/orders', { token, key: randomUUID(), raw: `{"shippingAddress":"${canary}` });
  await client.call('GET', `/api/v1/users/${user.id}`, { token: `${token}${canary}` });
  await eventually(async () => assert.ok(spans.some(({ name }) => /Login/.test(name))), 15_000);
  const refreshable = token.split('.')[2] as string;
  for (const [where, text] of [
    ['the log', shop.output()],
    ['the metrics', await metrics()],
    ['the spans', sentToCollector],
  ] as const) {
    const at = text.indexOf(canary);
    assert.equal(at, -1, `${where}: ${text.slice(Math.max(0, at - 300), at + 100)}`);
    assert.ok(!text.includes(refreshable), `${where} holds an access token`);
    assert.ok(!text.includes(shop.adminPassword), `${where} holds a password`);
    assert.ok(!text.includes('tok_visa'), `${where} holds a card`);
  }
});

test('a line of the log about a failed request names its trace', async () => {
  const traceId = randomBytes(16).toString('hex');
  const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
  const token = (await client.buyer()).token;
  await client.call('GET', `/api/v1/orders/ord_${randomUUID()}`, { token, headers });
  await eventually(async () => {
    const lines = shop
      .output()
      .split('\n')
      .filter((line) => line.includes(traceId));
    assert.ok(lines.length > 0, 'no line');
    for (const line of lines) assert.equal((JSON.parse(line) as { trace_id: string }).trace_id, traceId);
  });
});

for (const useBinaryFormat of [false, true]) {
  test(`the official Connect client shops in ${useBinaryFormat ? 'binary' : 'JSON'}`, async () => {
    const buyer = await client.buyer();
    const transport = createConnectTransport({ baseUrl: shop.url, httpVersion: '1.1', useBinaryFormat });
    const { products } = await createClient(CatalogService, transport).listProducts({ pageSize: 3 });
    assert.equal(products.length, 3);
    const productId = products[0]?.id as string;
    await client.setStock(productId, 5);
    const orders = createClient(OrderService, transport);
    const order = await orders.placeOrder(
      {
        items: [{ productId, quantity: 1 }],
        paymentMethodId: buyer.paymentMethodId,
        shippingAddress: ADDRESS,
        prefer: 'wait=10',
      },
      { headers: { authorization: `Bearer ${buyer.token}`, 'idempotency-key': randomUUID() } },
    );
    assert.equal(Order_Status[order.status], 'CONFIRMED');
    await assert.rejects(() => orders.getOrder({ id: order.id }), /unauthenticated/);
  });
}

for (const path of ['/', '/docs', '/dev/mailbox']) {
  test(`the page ${path} loads nothing from elsewhere`, async () => {
    const { status, headers, body } = await client.call<string>('GET', path);
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^text\/html/);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /https?:|\*/);
    assert.doesNotMatch(body, /<(?:script|link|img|iframe|object|embed|source|video|audio)\b[^>]*\b(?:src|href)\s*=/i);
    assert.doesNotMatch(body, /@import|url\(/i);
  });
}

test('the description of the interface names every address that tests here call', async () => {
  const api = await client.ok<{ openapi: string; paths: Record<string, unknown> }>('GET', '/openapi.json');
  assert.match(api.openapi, /^3\.1/);
  for (const path of ['/api/v1/orders', '/api/v1/orders/{id}', '/api/v1/payment-methods', '/api/v1/users'])
    assert.ok(api.paths[path], path);
});

test('the mailbox shows what customers were told, and nothing that they wrote as markup', async () => {
  const evil = '<script>alert(1)</script>';
  const user = await client.register({ profile: { firstName: evil, lastName: 'x' } });
  const token = await client.adminToken();
  const body = { userId: user.id, channel: 'EMAIL', subject: evil, body: evil };
  await client.ok('POST', '/api/v1/notifications', { token, body });
  const { body: page } = await client.call<string>('GET', '/dev/mailbox');
  assert.ok(page.includes('&lt;script&gt;alert(1)'));
  assert.ok(!page.includes(evil));
});
