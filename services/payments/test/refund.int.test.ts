import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { paymentErrors } from '../src/errors.ts';
import { startWorld, type World } from './world.ts';

describe('refunds, cancellations and charges by hand', () => {
  let world: World;
  let method: string;
  before(async () => {
    world = await startWorld();
    method = await world.method();
  });
  after(() => world.close());
  beforeEach(() => Object.assign(world.provider.faults, { down: false, loseReplies: 0 }));

  const refusedWith = (reason: string) => (error: unknown) => hasReason(error, reason);
  const paid = async (amount = 1000) => {
    const order = world.order();
    const { id } = await world.authorize(order, method, amount);
    await world.capture(order);
    return { order, id: String(id) };
  };
  const refunded = (id: string) => world.charges(id).map((charge) => charge.refunded);

  /** Every booking adds up to zero, and the books say the same as the payment and the provider. */
  async function audit(id: string): Promise<void> {
    const { rows } = await world
      .sql()
      .query<{ captured: bigint; refunded: bigint; refund_reserved: bigint; status: string }>(
        'select captured, refunded, refund_reserved, status from payment where id = $1',
        [id],
      );
    const [payment] = rows;
    assert.ok(payment);
    const entries = await world.ledger(id);
    const sums = new Map<string, bigint>();
    for (const { transactionId = '', amount } of entries) {
      sums.set(transactionId, (sums.get(transactionId) ?? 0n) + (amount?.minorUnits ?? 0n));
    }
    for (const [transaction, sum] of sums) assert.equal(sum, 0n, transaction);
    const balance = (account: string) =>
      entries.filter((e) => e.account === account).reduce((sum, { amount }) => sum + (amount?.minorUnits ?? 0n), 0n);
    assert.equal(balance('provider_receivable'), payment.captured - payment.refunded);
    if (payment.status !== 'AUTHORIZED') assert.equal(balance('customer_holds'), 0n);
    assert.equal(payment.refund_reserved, 0n);
    assert.deepEqual(
      world.charges(id).map((charge) => [BigInt(charge.captured), BigInt(charge.refunded)]),
      [[payment.captured, payment.refunded]],
    );
  }

  test('parts are given back until nothing is left', async () => {
    const { order, id } = await paid();
    assert.equal(world.status(await world.refund(id, 400, `${id}-1`)), 'PARTIALLY_REFUNDED');
    await assert.rejects(world.refund(id, 601, `${id}-2`), refusedWith('PAYMENTS_REFUND_TOO_LARGE'));
    const last = await world.refund(id, undefined, `${id}-3`);
    assert.equal(world.status(last), 'REFUNDED');
    assert.deepEqual(
      last.refunds?.map(({ amount }) => amount?.minorUnits),
      [400n, 600n],
    );
    await assert.rejects(world.refund(id, undefined, `${id}-4`), refusedWith('PAYMENTS_REFUND_TOO_LARGE'));
    assert.equal(world.eventsOf(order).filter((type) => type === 'PaymentRefunded').length, 2);
    await audit(id);
  });

  test('the same key refunds once; another amount under it is refused', async () => {
    const { id } = await paid();
    await world.refund(id, 100, `${id}-k`);
    await world.refund(id, 100, `${id}-k`);
    assert.deepEqual(refunded(id), [100]);
    await assert.rejects(world.refund(id, 200, `${id}-k`), refusedWith('IDEMPOTENCY_KEY_REUSED'));
    await audit(id);
  });

  test('of twenty parallel refunds of 30 % at most three succeed', async () => {
    const { id } = await paid();
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => world.refund(id, 300, `${id}-${n}`)));
    const refused = all.filter((one) => one.status === 'rejected');
    assert.equal(refused.length, 17);
    for (const { reason } of refused) assert.ok(hasReason(reason, 'PAYMENTS_REFUND_TOO_LARGE'), String(reason));
    assert.deepEqual(refunded(id), [900]);
    await audit(id);
  });

  test('captures never exceed the hold, nor refunds the captures, whatever happens at once', async () => {
    const amount = fc.integer({ min: 1, max: 700 });
    const action = fc.oneof(
      fc.record({ do: fc.constant('refund' as const), amount }),
      fc.record({ do: fc.constant('lose' as const), amount }),
      fc.record({ do: fc.constant('capture' as const), amount }),
      fc.record({ do: fc.constant('void' as const), amount }),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(action, { maxLength: 10 }), async (capture, actions) => {
        const order = world.order();
        const id = String((await world.authorize(order, method, 1000)).id);
        if (capture) await world.capture(order);
        await Promise.allSettled(
          actions.map(async (one, n) => {
            if (one.do === 'capture') return world.capture(order);
            if (one.do === 'void') return world.void(order);
            if (one.do === 'lose') world.provider.faults.loseReplies = 1;
            return world.refund(id, one.amount, `${id}-${n}`);
          }),
        );
        world.provider.faults.loseReplies = 0;
        await world.sql().query("update payment_attempt set next_at = '2000-01-01' where payment_id = $1", [id]);
        await world.resume();
        await audit(id);
      }),
      { numRuns: 15 },
    );
  });

  test('a refund whose reply is lost is made once', async () => {
    const { id } = await paid();
    world.provider.faults.loseReplies = 1;
    assert.equal(world.status(await world.refund(id, 250, `${id}-l`)), 'PARTIALLY_REFUNDED');
    assert.deepEqual(refunded(id), [250]);
    await audit(id);
  });

  test('a refund while the provider is away is PENDING and done when it is back', async () => {
    const { id } = await paid();
    world.provider.faults.down = true;
    const pending = await world.refund(id, 250, `${id}-d`);
    assert.deepEqual([world.status(pending), pending.refunds?.[0]?.status], ['CAPTURED', 1]);
    world.provider.faults.down = false;
    await world.sql().query("update payment_attempt set next_at = '2000-01-01' where payment_id = $1", [id]);
    await world.resume();
    assert.deepEqual(refunded(id), [250]);
    await audit(id);
  });

  test('a cancelled order gets its money back, once', async () => {
    const { order, id } = await paid();
    const delivered = new Set<string>();
    await world.cancel(order, delivered);
    await world.cancel(order, delivered);
    await world.cancel(order);
    assert.deepEqual(refunded(id), [1000]);
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized', 'PaymentCaptured', 'PaymentRefunded']);
    await audit(id);
  });

  test('a cancelled order gives back what is left after a refund', async () => {
    const { order, id } = await paid();
    await world.refund(id, 300, `${id}-p`);
    await world.cancel(order);
    assert.deepEqual(refunded(id), [1000]);
    await audit(id);
  });

  test('a cancelled order lets go of what is held, and a late capture returns the payment as it is', async () => {
    const order = world.order();
    const { id } = await world.authorize(order, method);
    await world.cancel(order);
    assert.equal(world.status(await world.capture(order)), 'VOIDED');
    await audit(String(id));
  });

  test('an order cancelled before it was paid is never charged', async () => {
    const order = world.order();
    await world.cancel(order);
    await assert.rejects(world.authorize(order, method), refusedWith('PAYMENTS_ORDER_CANCELLED'));
    assert.equal(world.status(await world.capture(order)), 'VOIDED');
  });

  test('a cancellation that nobody finished is finished by the sweeper', async () => {
    const { order, id } = await paid();
    world.provider.faults.down = true;
    await world.cancel(order);
    world.provider.faults.down = false;
    assert.deepEqual(refunded(id), [0]);
    await world.sql().query("update payment_attempt set next_at = '2000-01-01' where payment_id = $1", [id]);
    await world.resume();
    assert.deepEqual(refunded(id), [1000]);
    await audit(id);
  });

  test('a refund that the provider refuses is told, leaves the money ours, and can be made again', async () => {
    const { order, id } = await paid();
    const { provider } = world.deps.parts;
    const { refund } = provider;
    Object.assign(provider, {
      refund: async () => {
        throw paymentErrors.PROVIDER_REFUSED({ why: 'card_closed' });
      },
    });
    await world.cancel(order);
    Object.assign(provider, { refund });
    assert.equal(world.eventsOf(order).at(-1), 'PaymentRefundFailed');
    assert.deepEqual(refunded(id), [0]);
    await audit(id);
    await world.refund(id, undefined, `${id}-again`);
    assert.equal(world.eventsOf(order).at(-1), 'PaymentRefunded');
    assert.deepEqual(refunded(id), [1000]);
    await audit(id);
  });

  test('cancellation and capture at once end without money on either side', async () => {
    for (let round = 0; round < 10; round++) {
      const order = world.order();
      const id = String((await world.authorize(order, method)).id);
      await Promise.allSettled([world.capture(order), world.cancel(order)]);
      await world.sql().query("update payment_attempt set next_at = '2000-01-01' where payment_id = $1", [id]);
      await world.resume();
      const [charge] = world.charges(id);
      assert.ok(charge?.status === 'voided' || charge?.refunded === 1000, JSON.stringify(charge));
      await audit(id);
    }
  });

  test('a charge by hand is authorized and captured once per key', async () => {
    const all = await Promise.allSettled([world.charge(method, 50, 'hand'), world.charge(method, 50, 'hand')]);
    const first = all.find((one) => one.status === 'fulfilled');
    assert.ok(first);
    const again = await world.charge(method, 50, 'hand');
    assert.equal(again.id, first.value.id);
    assert.equal(world.status(again), 'CAPTURED');
    assert.equal(world.charges(String(again.id)).length, 1);
    const declined = await world.method('tok_declined');
    await assert.rejects(world.charge(declined, 50, 'no'), refusedWith('PAYMENTS_CARD_DECLINED'));
    await assert.rejects(world.charge(declined, 50, 'no'), refusedWith('PAYMENTS_CARD_DECLINED'));
  });

  test('the ledger refuses to be changed', async () => {
    await paid();
    await assert.rejects(world.sql().query('update ledger_entry set minor_units = 0'));
    await assert.rejects(world.sql().query('delete from ledger_entry'));
  });
});
