import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { verifyPayload } from '@souk/security';
import { API_KEY, caller, startReceiver, startWorld, WEBHOOK_SECRET, type World } from './world.ts';

const eur = (amount: number, token = 'tok_visa') => ({ amount, currency: 'EUR', token, reference: 'r1' });

describe('the payment provider', () => {
  let world: World;
  before(async () => {
    world = await startWorld({ PROVIDER_SLOW: '30ms' });
  });
  after(() => world.provider.stop());

  test('a request without the API key is refused', async () => {
    const response = await fetch(`${world.url}/v1/ledger`, { headers: { authorization: 'Bearer wrong' } });
    assert.equal(response.status, 401);
  });

  test('a token becomes a payment method that tells brand and last four digits only', async () => {
    const { status, body } = await world.call('POST', '/v1/payment-methods', { token: 'tok_mastercard' });
    assert.equal(status, 201);
    assert.deepEqual([body.brand, body.last4, Object.keys(body).length], ['mastercard', '4444', 3]);
    const charge = await world.call(
      'POST',
      '/v1/charges',
      { amount: 5, currency: 'EUR', paymentMethod: body.id },
      'by-method',
    );
    assert.equal(charge.body.status, 'authorized');
    assert.equal((await world.call('POST', '/v1/payment-methods', { token: 'tok_none' })).status, 422);
  });

  test('a charge is authorized, captured and refunded in part', async () => {
    const { body: charge } = await world.call('POST', '/v1/charges', eur(1000), 'life/1');
    const path = `/v1/charges/${charge.id}`;
    assert.equal((await world.call('POST', `${path}/refunds`, { amount: 1 }, 'life/0')).status, 409);
    assert.equal((await world.call('POST', `${path}/capture`, {}, 'life/2')).body.captured, 1000);
    assert.equal((await world.call('POST', `${path}/void`, {}, 'life/3')).status, 409);
    assert.equal((await world.call('POST', `${path}/refunds`, { amount: 400 }, 'life/4')).status, 201);
    assert.equal((await world.call('POST', `${path}/refunds`, { amount: 601 }, 'life/5')).status, 409);
    const { body: now } = await world.call('GET', path);
    assert.deepEqual([now.status, now.captured, now.refunded], ['captured', 1000, 400]);
    assert.deepEqual((await world.call('GET', '/v1/charges?idempotencyKey=life%2F1')).body, now);
  });

  test('the same key and body give the same reply and one charge; another body is refused', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => world.call('POST', '/v1/charges', eur(70), 'same')),
    );
    assert.equal(new Set(replies.map(({ body }) => body.id)).size, 1);
    assert.equal(world.provider.inspect.charges().filter((one) => one.idempotencyKey === 'same').length, 1);
    assert.equal((await world.call('POST', '/v1/charges', eur(71), 'same')).status, 422);
    assert.equal((await world.call('POST', '/v1/charges', eur(71))).status, 400);
  });

  test('tokens steer what becomes of a charge', async () => {
    const failure = async (token: string) => (await world.call('POST', '/v1/charges', eur(9, token), token)).body;
    assert.equal((await failure('tok_declined')).failureCode, 'card_declined');
    assert.equal((await failure('tok_insufficient_funds')).failureCode, 'insufficient_funds');
    assert.equal((await failure('tok_slow')).status, 'authorized');
    const flaky = [];
    for (let n = 0; n < 4; n++) flaky.push((await world.call('POST', '/v1/charges', eur(9, 'tok_flaky'), 'fl')).status);
    assert.deepEqual(flaky, [503, 503, 201, 201]);
  });

  test('tok_timeout charges and never answers; a retry finds the charge', async () => {
    const give = new AbortController();
    const lost = world.provider.inspect.ledger().length;
    const hanging = fetch(`${world.url}/v1/charges`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'idempotency-key': 'hang' },
      body: JSON.stringify(eur(9, 'tok_timeout')),
      signal: give.signal,
    });
    while (world.provider.inspect.ledger().length === lost) await new Promise((resolve) => setImmediate(resolve));
    give.abort();
    await assert.rejects(hanging);
    assert.equal((await world.call('POST', '/v1/charges', eur(9, 'tok_timeout'), 'hang')).body.status, 'authorized');
    assert.equal(world.provider.inspect.ledger().length, lost + 1);
  });

  test('what is malformed is refused and uses up no key', async () => {
    for (const body of [{}, eur(0), eur(1.5), { ...eur(1), currency: 'eur' }, eur(1, 'tok_none'), []]) {
      assert.ok([400, 422].includes((await world.call('POST', '/v1/charges', body, 'mal')).status));
    }
    assert.equal((await world.call('POST', '/v1/charges', eur(1), 'mal')).status, 201);
  });

  test('the ledger is read on from where one stopped', async () => {
    const { body } = await world.call('GET', '/v1/ledger?after=0');
    const last = body.entries.at(-1)?.sequence;
    await world.call('POST', '/v1/charges', eur(3), 'ledger');
    const { body: rest } = await world.call('GET', `/v1/ledger?after=${last}`);
    assert.deepEqual(
      rest.entries.map((entry) => [entry.kind, entry.amount, entry.charge.idempotencyKey]),
      [['authorize', 3, 'ledger']],
    );
  });
});

test('faults: down, unavailable and lost replies', async () => {
  const world = await startWorld();
  try {
    world.provider.faults.down = true;
    await assert.rejects(world.call('POST', '/v1/charges', eur(1), 'a'));
    assert.equal((await world.call('PUT', '/v1/test/faults', { down: false, unavailable: 1 })).status, 200);
    assert.equal((await world.call('POST', '/v1/charges', eur(1), 'a')).status, 503);
    assert.equal((await world.call('POST', '/v1/charges', eur(1), 'a')).status, 201);
    assert.equal(world.provider.inspect.charges().length, 1);
  } finally {
    await world.provider.stop();
  }
});

test('events are signed, sent again until they are taken, and may come twice', async () => {
  const receiver = await startReceiver();
  const world = await startWorld({ PROVIDER_WEBHOOK_URL: receiver.url, PROVIDER_WEBHOOK_RETRY: '1ms' });
  try {
    receiver.failures = 2;
    const { body: charge } = await world.call('POST', '/v1/charges', eur(10), 'w1');
    await receiver.until(1);
    world.provider.faults.doubleWebhooks = true;
    await world.call('POST', `/v1/charges/${charge.id}/capture`, {}, 'w2');
    await receiver.until(3);
    assert.deepEqual(
      receiver.events.map(({ event }) => event.type),
      ['charge.authorized', 'charge.captured', 'charge.captured'],
    );
    assert.equal(receiver.events[1]?.event.id, receiver.events[2]?.event.id);
    assert.ok(receiver.events[0]!.event.sequence < receiver.events[1]!.event.sequence);
    for (const { raw, signature, timestamp } of receiver.events) {
      verifyPayload({ timestamp, body: raw }, { secrets: [WEBHOOK_SECRET], signature, nowMs: Date.now() });
    }
  } finally {
    await world.provider.stop();
    receiver.close();
  }
});

test('charges, replies and waiting events survive kill -9', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'provider-'));
  const receiver = await startReceiver();
  receiver.failures = 1_000_000;
  const env = {
    ...process.env,
    PROVIDER_API_KEY: API_KEY,
    PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET,
    PROVIDER_WEBHOOK_URL: receiver.url,
    PROVIDER_WEBHOOK_RETRY: '1ms',
    PROVIDER_FILE: join(folder, 'ledger.db'),
  };
  const start = async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], { env });
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) if (line.startsWith('http://')) return { child, call: caller(line) };
    throw new Error('it ended');
  };
  const first = await start();
  const { body: charge } = await first.call('POST', '/v1/charges', eur(10), 'k1');
  first.child.kill('SIGKILL');
  const second = await start();
  try {
    assert.equal((await second.call('POST', '/v1/charges', eur(10), 'k1')).body.id, charge.id);
    receiver.failures = 0;
    await receiver.until(1);
    assert.equal(receiver.events[0]?.event.data.id, charge.id);
  } finally {
    const ended = new Promise((resolve) => second.child.once('exit', resolve));
    second.child.kill('SIGTERM');
    await ended;
    assert.equal(second.child.exitCode, 0);
    receiver.close();
    await rm(folder, { recursive: true });
  }
});
