import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { providerKey } from '../src/domain/payment.ts';
import { beginPayment } from '../src/store/payment-repository.ts';
import { startWorld, type World } from './world.ts';

describe('authorize and capture', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  beforeEach(() => Object.assign(world.provider.faults, { down: false, loseReplies: 0, unavailable: 0 }));

  const refusedWith = (reason: string) => (error: unknown) => hasReason(error, reason);
  const chargesOf = async (orderId: string) => world.charges(String((await world.find(orderId)).id));

  for (const token of ['tok_visa', 'tok_mastercard', 'tok_flaky', 'tok_slow', 'tok_timeout']) {
    test(`${token} is authorized and captured with one charge`, async () => {
      const order = world.order();
      const startedMs = world.runtime.clock.monotonicMs();
      const payment = await world.authorize(order, await world.method(token));
      assert.equal(world.status(payment), 'AUTHORIZED');
      assert.equal(world.status(await world.capture(order)), 'CAPTURED');
      assert.deepEqual(
        (await chargesOf(order)).map((charge) => [charge.status, charge.captured]),
        [['captured', 1000]],
      );
      assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized', 'PaymentCaptured']);
      assert.ok(world.runtime.clock.monotonicMs() - startedMs < 5000);
    });
  }

  for (const [token, reason] of [
    ['tok_declined', 'PAYMENTS_CARD_DECLINED'],
    ['tok_insufficient_funds', 'PAYMENTS_INSUFFICIENT_FUNDS'],
  ] as const) {
    test(`${token} is refused, also when asked again`, async () => {
      const order = world.order();
      const method = await world.method(token);
      await assert.rejects(world.authorize(order, method), refusedWith(reason));
      await assert.rejects(world.authorize(order, method), refusedWith(reason));
      const payment = await world.find(order);
      assert.deepEqual([world.status(payment), payment.failureCode], ['FAILED', reason.replace('PAYMENTS_', '')]);
      assert.deepEqual(world.eventsOf(order), ['PaymentFailed']);
      assert.equal((await world.ledger(payment.id)).length, 0);
      assert.equal(world.status(await world.void(order)), 'FAILED');
    });
  }

  test('ten equal requests at once make one payment and one charge', async () => {
    const order = world.order();
    const method = await world.method();
    const all = await Promise.all(Array.from({ length: 10 }, () => world.authorize(order, method)));
    assert.equal(new Set(all.map(({ id }) => id)).size, 1);
    assert.equal((await chargesOf(order)).length, 1);
    await Promise.all(Array.from({ length: 10 }, () => world.capture(order)));
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized', 'PaymentCaptured']);
  });

  test("somebody else's payment method looks like none", async () => {
    const method = await world.method('tok_visa', world.runtime.ids.next('usr'));
    await assert.rejects(world.authorize(world.order(), method), refusedWith('PAYMENTS_METHOD_NOT_FOUND'));
  });

  test('a reply that is lost is found again under the same key', async () => {
    const order = world.order();
    const method = await world.method();
    world.provider.faults.loseReplies = 1;
    assert.equal(world.status(await world.authorize(order, method)), 'AUTHORIZED');
    world.provider.faults.loseReplies = 1;
    assert.equal(world.status(await world.capture(order)), 'CAPTURED');
    assert.equal((await chargesOf(order)).length, 1);
  });

  test('a crash between charge and reply is repaired by whoever asks next', async () => {
    const { id, request } = await crashedAfterCharge(world);
    assert.equal(world.status(await world.find(request.orderId)), 'AUTHORIZED');
    assert.equal((await world.authorize(request.orderId, request.paymentMethodId)).id, id);
    assert.equal(world.charges(id).length, 1);
  });

  test('a crash between charge and reply is repaired by the sweeper when nobody asks', async () => {
    const { id, request } = await crashedAfterCharge(world);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await world.resume();
    assert.deepEqual(world.eventsOf(request.orderId), ['PaymentAuthorized']);
    assert.equal(world.charges(id).length, 1);
  });

  test('a provider that is away leaves the payment PENDING, and a repeat goes on', async () => {
    const order = world.order();
    const method = await world.method();
    world.provider.faults.down = true;
    await assert.rejects(world.authorize(order, method), (error) => {
      assert.ok(hasReason(error, 'PAYMENTS_OUTCOME_UNKNOWN'));
      assert.equal((error as { retry: { kind: string } }).retry.kind, 'unknownOutcome');
      return true;
    });
    world.provider.faults.down = false;
    assert.equal(world.status(await world.find(order)), 'PENDING');
    assert.equal(world.status(await world.authorize(order, method)), 'AUTHORIZED');
  });

  test('a void before the authorization makes a late authorization do nothing', async () => {
    const order = world.order();
    assert.equal(world.status(await world.void(order)), 'VOIDED');
    await assert.rejects(world.authorize(order, await world.method()), refusedWith('PAYMENTS_ORDER_CANCELLED'));
    await assert.rejects(world.capture(order), refusedWith('PAYMENTS_NOT_AUTHORIZED'));
    assert.equal((await chargesOf(order)).length, 0);
  });

  test('a void releases the hold, once; a capture after it is refused', async () => {
    const order = world.order();
    await world.authorize(order, await world.method());
    assert.equal(world.status(await world.void(order)), 'VOIDED');
    assert.equal(world.status(await world.void(order)), 'VOIDED');
    await assert.rejects(world.capture(order), refusedWith('PAYMENTS_NOT_AUTHORIZED'));
    assert.deepEqual(
      (await chargesOf(order)).map(({ status }) => status),
      ['voided'],
    );
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized', 'PaymentVoided']);
  });

  test('a void while the provider is away is kept and done when it is back', async () => {
    const order = world.order();
    const { id } = await world.authorize(order, await world.method());
    world.provider.faults.down = true;
    assert.equal(world.status(await world.void(order)), 'AUTHORIZED');
    await assert.rejects(world.capture(order), refusedWith('PAYMENTS_NOT_AUTHORIZED'));
    world.provider.faults.down = false;
    await world.sql().query("update payment_attempt set next_at = '2000-01-01' where payment_id = $1", [id]);
    await world.resume();
    assert.equal(world.status(await world.find(order)), 'VOIDED');
  });

  test('a void of what the provider never heard of ends it without a charge', async () => {
    const order = world.order();
    const method = await world.method();
    world.provider.faults.down = true;
    await assert.rejects(world.authorize(order, method));
    world.provider.faults.down = false;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(world.status(await world.void(order)), 'VOIDED');
    await assert.rejects(world.authorize(order, method), refusedWith('PAYMENTS_ORDER_CANCELLED'));
    assert.equal((await chargesOf(order)).length, 0);
  });

  test('a captured payment is not voided', async () => {
    const order = world.order();
    await world.authorize(order, await world.method());
    await world.capture(order);
    await assert.rejects(world.void(order), refusedWith('PAYMENTS_ALREADY_CAPTURED'));
  });

  test('of a capture and a void at once one wins, here and at the provider', async () => {
    const method = await world.method();
    for (let round = 0; round < 10; round++) {
      const order = world.order();
      await world.authorize(order, method);
      await Promise.allSettled([world.capture(order), world.void(order)]);
      const [status, charges] = [world.status(await world.find(order)), await chargesOf(order)];
      assert.ok(status === 'CAPTURED' || status === 'VOIDED', status);
      assert.deepEqual(
        charges.map((charge) => charge.status),
        [status.toLowerCase()],
      );
    }
  });
});

/** The attempt is committed and the provider has charged, and then our process is gone. */
async function crashedAfterCharge(world: World) {
  const request = { orderId: world.order(), paymentMethodId: await world.method() };
  const id = world.runtime.ids.next('pay');
  const now = new Date();
  const payment = await beginPayment(
    world.sql(),
    { id, ...request, userId: world.userId, currency: 'EUR', amount: 1000n },
    { now, resumeAt: now },
  );
  assert.ok(payment);
  await world.call((ctx) =>
    world.deps.parts.provider.authorize(ctx, {
      key: providerKey(id, 'authorize'),
      amount: 1000n,
      currency: 'EUR',
      paymentMethod: payment.method_reference,
      reference: id,
    }),
  );
  return { id, request };
}
