import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { CallOptions } from '../support/http.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { ADDRESS, type Buyer, type ShopClient, shopClient } from '../support/shop-client.ts';

let shop: ShopProcess;
let client: ShopClient;
let buyer: Buyer;
let victim: Buyer;
let victimsOrder: string;
let victimsPayment: string;
let productId: string;

before(async () => {
  shop = await startShop();
  client = shopClient(shop);
  [buyer, victim] = await Promise.all([client.buyer(), client.buyer()]);
  productId = await client.product(100);
  const { id } = await client.placeOrder(victim, [{ productId, quantity: 1 }], { wait: 10 });
  const order = await client.settled(victim.token, id);
  [victimsOrder, victimsPayment] = [order.id, order.paymentId];
});
after(() => shop?.kill9());

interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Of one violation at least. */
  readonly pointer?: string;
}

async function refuses(refusal: Refusal, verb: string, path: string, options: CallOptions = {}): Promise<void> {
  const { status, body, headers } = await client.call(verb, path, options);
  assert.deepEqual([status, body.code], [refusal.status, refusal.code], JSON.stringify(body));
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.match(body.traceId, /^[0-9a-f]{32}$/);
  assert.equal(body.status, status);
  assert.ok(body.detail.length > 0);
  if (refusal.pointer === undefined) return;
  const pointers = body.errors?.map(({ pointer }) => pointer) ?? [];
  assert.ok(pointers.includes(refusal.pointer), `${JSON.stringify(pointers)} lacks ${refusal.pointer}`);
}

const order = (changes: Record<string, unknown> = {}) => ({
  items: [{ productId, quantity: 1 }],
  paymentMethodId: buyer.paymentMethodId,
  shippingAddress: ADDRESS,
  ...changes,
});
const item = (changes: Record<string, unknown>) => ({ items: [{ productId, quantity: 1, ...changes }] });
const STRANGER = 'prd_01a1fc08-a0b0-7132-9e34-9f7a7d0f78b7';
const INVALID = { status: 400, code: 'RPC_INVALID_REQUEST' };

describe('a bad order is refused, and says where:', () => {
  const rows: readonly [name: string, changes: () => Record<string, unknown>, refusal: Refusal][] = [
    ['a quantity of nothing', () => item({ quantity: 0 }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['a negative quantity', () => item({ quantity: -1 }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['a huge quantity', () => item({ quantity: 1_000_000 }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['a quantity past 32 bits', () => item({ quantity: 4_294_967_297 }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['half a piece', () => item({ quantity: 0.5 }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['a quantity in words', () => item({ quantity: 'two' }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['an object for a quantity', () => item({ quantity: {} }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['no quantity', () => item({ quantity: undefined }), { ...INVALID, pointer: '/items/0/quantity' }],
    ['a price of the client', () => item({ unitPrice: 1 }), { ...INVALID, pointer: '/items/0/unitPrice' }],
    ['an unknown field', () => ({ coupon: 'FREE' }), { ...INVALID, pointer: '/coupon' }],
    ['a prototype', () => JSON.parse('{"__proto__":{"admin":true}}'), { ...INVALID, pointer: '/__proto__' }],
    ['no items', () => ({ items: [] }), { ...INVALID, pointer: '/items' }],
    ['items of a wrong kind', () => ({ items: 'all' }), { ...INVALID, pointer: '/items' }],
    [
      'too many items',
      () => ({ items: Array.from({ length: 201 }, () => ({ productId, quantity: 1 })) }),
      { ...INVALID, pointer: '/items' },
    ],
    [
      'an unknown product',
      () => item({ productId: STRANGER }),
      { status: 400, code: 'ORDERS_PRODUCT_UNKNOWN', pointer: '/items/0/productId' },
    ],
    [
      'a product id of another kind',
      () => item({ productId: buyer.id }),
      { ...INVALID, pointer: '/items/0/productId' },
    ],
    [
      'SQL for a product',
      () => item({ productId: "'; drop table orders; --" }),
      { ...INVALID, pointer: '/items/0/productId' },
    ],
    ['no way to pay', () => ({ paymentMethodId: undefined }), { ...INVALID, pointer: '/paymentMethodId' }],
    ['no address', () => ({ shippingAddress: undefined }), { ...INVALID, pointer: '/shippingAddress' }],
    [
      'an address without a city',
      () => ({ shippingAddress: { ...ADDRESS, city: '' } }),
      { ...INVALID, pointer: '/shippingAddress/city' },
    ],
    [
      'an endless name',
      () => ({ shippingAddress: { ...ADDRESS, name: 'x'.repeat(10_000) } }),
      { ...INVALID, pointer: '/shippingAddress/name' },
    ],
    [
      'an unknown country',
      () => ({ shippingAddress: { ...ADDRESS, country: 'XX' } }),
      { ...INVALID, pointer: '/shippingAddress/country' },
    ],
    ['an unknown currency', () => ({ currency: 'EURO' }), { ...INVALID, pointer: '/currency' }],
    ['the name of somebody else', () => ({ userId: victim.id }), { status: 403, code: 'RPC_PERMISSION_DENIED' }],
  ];
  for (const [name, changes, refusal] of rows) {
    test(name, () =>
      refuses(refusal, 'POST', '/api/v1/orders', { token: buyer.token, key: randomUUID(), body: order(changes()) }),
    );
  }

  test("somebody else's card", async () => {
    const stolen = await client.placeOrder(buyer, [{ productId, quantity: 1 }], {
      paymentMethodId: victim.paymentMethodId,
      wait: 10,
    });
    assert.deepEqual([stolen.status, stolen.reason], ['REJECTED', 'METHOD_NOT_FOUND']);
  });
});

describe('a bad request is refused:', () => {
  const place = (options: CallOptions, refusal: Refusal) => () =>
    refuses(refusal, 'POST', '/api/v1/orders', { token: buyer.token, key: randomUUID(), ...options });
  const malformed = { status: 400, code: 'RPC_MALFORMED_BODY' };
  test('half a JSON', place({ raw: '{"items": [' }, malformed));
  test('no JSON at all', place({ raw: 'hello' }, malformed));
  test('bytes that are no UTF-8', place({ raw: new Uint8Array([0x22, 0xff, 0xfe, 0x22]) }, malformed));
  test('a list', place({ raw: '[]' }, INVALID));
  test('nesting without end', place({ raw: '['.repeat(50_000) + ']'.repeat(50_000) }, INVALID));
  test(
    'a body over a mebibyte',
    place({ raw: JSON.stringify({ x: 'x'.repeat(1_048_576) }) }, { status: 413, code: 'RPC_BODY_TOO_LARGE' }),
  );
  test(
    'a form',
    place(
      { raw: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { status: 415, code: 'RPC_UNSUPPORTED_MEDIA_TYPE' },
    ),
  );
  test('no idempotency key', () =>
    refuses({ status: 400, code: 'IDEMPOTENCY_KEY_REQUIRED' }, 'POST', '/api/v1/orders', {
      token: buyer.token,
      body: order(),
    }));
  test('an endless idempotency key', () =>
    refuses({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' }, 'POST', '/api/v1/orders', {
      token: buyer.token,
      key: 'k'.repeat(256),
      body: order(),
    }));
  test('an unknown address', () => refuses({ status: 404, code: 'RPC_NOT_FOUND' }, 'GET', '/api/v1/nothing'));
  test('a wrong verb', () => refuses({ status: 405, code: 'RPC_METHOD_NOT_ALLOWED' }, 'DELETE', '/api/v1/orders'));
  test('an internal call', async () => {
    const { status, body } = await client.call('POST', '/souk.payments.v1.PaymentService/CapturePayment', {
      token: buyer.token,
      body: { orderId: victimsOrder },
    });
    assert.deepEqual([status, body.code], [403, 'permission_denied']);
  });
  test('a made-up page token', async () => {
    const answer = await client.call('GET', `/api/v1/users/${buyer.id}/orders?page_token=AAAA`, buyer);
    assert.equal(answer.status, 400);
    assert.match(answer.body.code, /PAGE_TOKEN_INVALID/);
  });
  test('a page token of another list', async () => {
    const page = await client.ok<{ nextPageToken: string }>('GET', '/api/v1/products?page_size=1');
    const path = `/api/v1/users/${buyer.id}/orders?page_token=${encodeURIComponent(page.nextPageToken)}`;
    assert.equal((await client.call('GET', path, buyer)).status, 400);
  });
  test('a page that is too large', () =>
    refuses({ ...INVALID, pointer: '/pageSize' }, 'GET', '/api/v1/products?page_size=1000'));
  test('an unknown parameter', () => refuses({ ...INVALID, pointer: '/colour' }, 'GET', '/api/v1/products?colour=red'));
  test('a weak password', () =>
    refuses({ ...INVALID, pointer: '/password' }, 'POST', '/api/v1/users', {
      body: { email: 'x@example.com', password: 'short' },
    }));
  test('an e-mail address that is none', () =>
    refuses({ ...INVALID, pointer: '/email' }, 'POST', '/api/v1/users', {
      body: { email: 'x', password: 'long enough 1' },
    }));
  test('an address that is taken', () =>
    refuses({ status: 409, code: 'USERS_EMAIL_TAKEN' }, 'POST', '/api/v1/users', {
      body: { email: victim.email, password: 'correct horse battery' },
    }));
  test('an unknown card', () =>
    refuses({ status: 400, code: 'PAYMENTS_TOKEN_REFUSED' }, 'POST', '/api/v1/payment-methods', {
      token: buyer.token,
      body: { token: 'tok_nothing' },
    }));
});

describe('what belongs to somebody else is not shown:', () => {
  const rows: readonly [name: string, status: number, verb: string, path: () => string, body?: unknown][] = [
    ['an order', 404, 'GET', () => `/api/v1/orders/${victimsOrder}`],
    ['its history', 404, 'GET', () => `/api/v1/orders/${victimsOrder}/history`],
    ['its shipment', 404, 'GET', () => `/api/v1/orders/${victimsOrder}/shipment`],
    ['a payment', 404, 'GET', () => `/api/v1/payments/${victimsPayment}`],
    ['a user', 403, 'GET', () => `/api/v1/users/${victim.id}`],
    ["a user's orders", 403, 'GET', () => `/api/v1/users/${victim.id}/orders`],
    ["a user's points", 403, 'GET', () => `/api/v1/users/${victim.id}/points`],
    ["a user's payments", 403, 'GET', () => `/api/v1/users/${victim.id}/payments`],
    ["a user's cards", 403, 'GET', () => `/api/v1/users/${victim.id}/payment-methods`],
    ["a user's letters", 403, 'GET', () => `/api/v1/users/${victim.id}/notifications`],
    ['all users', 403, 'GET', () => '/api/v1/users'],
    ['all orders', 403, 'GET', () => '/api/v1/orders'],
    ['the ledger', 403, 'GET', () => '/api/v1/ledger'],
    ['the mailbox', 403, 'GET', () => '/api/v1/mailbox'],
    ['cancelling an order', 404, 'POST', () => `/api/v1/orders/${victimsOrder}/cancel`, {}],
    ['moving an order', 403, 'PUT', () => `/api/v1/orders/${victimsOrder}/status`, { status: 'SHIPPED' }],
    ['giving money back', 403, 'POST', () => `/api/v1/payments/${victimsPayment}/refund`, {}],
    ['setting stock', 403, 'PUT', () => `/api/v1/products/${productId}/stock`, { onHand: 1 }],
    ['closing an account', 403, 'DELETE', () => `/api/v1/users/${victim.id}`],
  ];
  for (const [name, status, verb, path, body] of rows) {
    test(name, async () => {
      const answer = await client.call(verb, path(), { token: buyer.token, key: randomUUID(), body });
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(answer.body.traceId, /^[0-9a-f]{32}$/);
    });
  }
});

describe('a token that is not ours is refused:', () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const parts = () => buyer.token.split('.') as [string, string, string];
  const claims = () => JSON.parse(Buffer.from(parts()[1], 'base64url').toString()) as Record<string, unknown>;
  const header = () => JSON.parse(Buffer.from(parts()[0], 'base64url').toString()) as Record<string, unknown>;
  const forge = (head: unknown, payload: unknown, seal: (input: string) => string) => {
    const input = `${encode(head)}.${encode(payload)}`;
    return `${input}.${seal(input)}`;
  };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = (input: string) =>
    sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  const jwks = async () => JSON.stringify(await client.ok('GET', '/.well-known/jwks.json'));
  const rows: readonly [name: string, token: () => string | Promise<string>][] = [
    ['none at all', () => ''],
    ['no JWT', () => 'abc'],
    ['algorithm none', () => forge({ ...header(), alg: 'none' }, claims(), () => '')],
    ['another key', () => forge(header(), claims(), own)],
    ['an expired one of another key', () => forge(header(), { ...claims(), exp: 1 }, own)],
    [
      'another user under the old signature',
      () => `${parts()[0]}.${encode({ ...claims(), sub: victim.id })}.${parts()[2]}`,
    ],
    [
      'more rights under the old signature',
      () => `${parts()[0]}.${encode({ ...claims(), roles: ['admin'] })}.${parts()[2]}`,
    ],
    [
      'an HMAC with the public key',
      async () => {
        const key = await jwks();
        return forge({ ...header(), alg: 'HS256' }, claims(), (input) =>
          createHmac('sha256', key).update(input).digest('base64url'),
        );
      },
    ],
  ];
  for (const [name, token] of rows) {
    test(name, async () => {
      const given = await token();
      const headers = given === '' ? {} : { authorization: `Bearer ${given}` };
      const { status, body } = await client.call('GET', `/api/v1/users/${buyer.id}`, { headers });
      assert.equal(status, 401, JSON.stringify(body));
      assert.match(body.code, given === '' ? /^RPC_UNAUTHENTICATED$/ : /^TOKEN_/);
    });
  }
});

describe('a notice that the provider did not sign changes nothing:', () => {
  const notice = () =>
    JSON.stringify({ id: 'evt_1', type: 'charge.voided', createdAt: '2026-01-01T00:00:00Z', sequence: 1, data: {} });
  const now = () => String(Math.floor(Date.now() / 1000));
  for (const [name, signature] of [
    ['without a signature', ''],
    ['with a made-up signature', `v1=${'0'.repeat(64)}`],
    ['with something else', 'trust me'],
  ] as const) {
    test(name, async () => {
      const { status } = await client.call('POST', '/api/v1/webhooks/payments/simulator', {
        raw: notice(),
        headers: { 'souk-signature': signature, 'souk-timestamp': now() },
      });
      assert.equal(status, 401);
      assert.equal((await client.payments(victim.token, victim.id))[0]?.status, 'CAPTURED');
    });
  }
});

test('after all of it the shop is well, and sells', async () => {
  assert.equal((await client.call('GET', '/health/ready')).status, 200);
  const good = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
  assert.equal(good.status, 'CONFIRMED');
  assert.equal((await client.getOrder(victim.token, victimsOrder)).status, 'CONFIRMED');
  const faults = shop
    .output()
    .split('\n')
    .filter((line) => line.includes('"level":50'));
  assert.deepEqual(faults, []);
});
