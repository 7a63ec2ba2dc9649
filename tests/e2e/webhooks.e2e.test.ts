import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createPaymentProvider, WEBHOOK_TYPES } from '@souk/app-payment-provider';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { signPayload } from '@souk/security';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { scratchFolder } from '../support/shop-process.ts';

interface Notice {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const SECRET = 'a-secret-of-the-webhooks';
const API_KEY = 'a-key-of-the-provider';
const PATH = '/api/v1/webhooks/payments/simulator';
const notices: Notice[] = [];
/** Hears what the provider sends, and keeps it back. */
const listener = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    notices.push({ headers: request.headers, body });
    response.writeHead(200).end('{}');
  });
}).listen(0, '127.0.0.1');

let provider: ReturnType<typeof createPaymentProvider>;
let shop: ShopProcess | undefined;
let client: ShopClient;

before(async () => {
  if (!listener.listening) await new Promise((resolve) => listener.once('listening', resolve));
  provider = createPaymentProvider({
    runtime: systemRuntime(),
    log: silentLogger,
    settings: {
      host: '127.0.0.1',
      port: 0,
      file: `${scratchFolder()}/provider.sqlite`,
      durability: 'normal',
      apiKey: API_KEY,
      webhookUrl: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`,
      webhookSecret: SECRET,
      webhookEvents: WEBHOOK_TYPES,
      webhookConcurrency: 1,
      webhookTimeout: 5000,
      webhookRetry: 1000,
      webhookTwice: false,
      slow: 100,
    },
  });
  const { url } = await provider.start();
  shop = await startShop({
    args: ['--provider.embedded=false', `--payments.provider-url=${url}`],
    env: { PAYMENTS_PROVIDER_API_KEY: API_KEY, PAYMENTS_WEBHOOK_SECRETS: SECRET },
  });
  client = shopClient(shop);
});
after(async () => {
  await shop?.kill9();
  await provider?.stop();
  listener.closeAllConnections();
  listener.close();
});

test('a notice counts once, however often it comes and however late, and not at all when it was changed', async () => {
  const [buyer, productId] = [await client.buyer(), await client.product(5)];
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
  await client.settled(buyer.token, id);
  await eventually(async () => assert.equal(notices.length, 2));
  const state = async () => {
    const token = await client.adminToken();
    const [payment] = await client.payments(buyer.token, buyer.id);
    return { payment, ledger: await client.all(token, '/api/v1/ledger', 'entries') };
  };
  const before = await state();
  const deliver = (body: string, headers: Record<string, string>) =>
    client.call<{ duplicate?: boolean }>('POST', PATH, { raw: body, headers });
  const seal = (body: string, ageS = 0) => {
    const timestamp = String(Math.floor(Date.now() / 1000) - ageS);
    const signature = signPayload(SECRET, { timestamp, body: Buffer.from(body) });
    return { 'souk-signature': signature, 'souk-timestamp': timestamp };
  };

  for (const { body, headers } of notices.toReversed()) {
    const own = {
      'souk-signature': String(headers['souk-signature']),
      'souk-timestamp': String(headers['souk-timestamp']),
    };
    const first = await deliver(body, own);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    for (let i = 0; i < 3; i++) assert.deepEqual((await deliver(body, own)).body, { duplicate: true });
    assert.equal((await deliver(`${body} `, own)).status, 401);
    assert.equal(
      (await deliver(body.replace('captured', 'voided'), own)).status,
      body.includes('captured') ? 401 : 200,
    );
    assert.equal(
      (await deliver(body, { ...own, 'souk-timestamp': String(Number(own['souk-timestamp']) + 1) })).status,
      401,
    );
    assert.equal((await deliver(body, seal(body, 3600))).status, 401);
  }
  // What the provider never said of this charge, under a good signature: old news, or another charge.
  const { body } = notices[0] as Notice;
  const unknown = JSON.stringify({
    ...JSON.parse(body),
    id: 'evt_of_nobody',
    data: { ...JSON.parse(body).data, id: 'chg_of_nobody', reference: 'pay_of_nobody', idempotencyKey: 'of-nobody' },
  });
  assert.ok((await deliver(unknown, seal(unknown))).status < 500);
  assert.deepEqual(await state(), before);
});
