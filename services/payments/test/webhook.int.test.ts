import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { WebhookEvent } from '@souk/app-payment-provider';
import { ReconciliationIssue_Kind } from '@souk/contracts/payments/v1/payments';
import { hasReason } from '@souk/kernel';
import { providerKey } from '../src/domain/payment.ts';
import { SECRETS, startWorld, type World } from './world.ts';

const refusedWith = (reason: string) => (error: unknown) => hasReason(error, reason);

/** A payment that we believe PENDING while the provider holds the money: our process died before the reply. */
async function pendingHere(world: World) {
  const order = world.order();
  const method = await world.method();
  world.provider.faults.down = true;
  await assert.rejects(world.authorize(order, method));
  world.provider.faults.down = false;
  const { rows } = await world
    .sql()
    .query<{ id: string; method_reference: string }>('select id, method_reference from payment where order_id = $1', [
      order,
    ]);
  const { id, method_reference: paymentMethod } = rows[0]!;
  const key = providerKey(id, 'authorize');
  const charge = await world.call((ctx) =>
    world.deps.parts.provider.authorize(ctx, { key, amount: 1000n, currency: 'EUR', paymentMethod, reference: id }),
  );
  return { order, id, chargeId: charge.id };
}

const eventOf = (world: World, id: string, type: WebhookEvent['type'], eventId = `evt-${id}-${type}`): WebhookEvent => {
  const status = type.startsWith('charge.') ? (type.slice(7) as 'authorized') : 'captured';
  const charge = world.charges(id)[0]!;
  const captured = status === 'authorized' ? 0 : charge.amount;
  return { id: eventId, type, createdAt: charge.createdAt, sequence: 1, data: { ...charge, status, captured } };
};

describe('webhooks', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  beforeEach(() => world.deps.policies.reset('http:payment-provider'));

  test('a notice settles what was not known; the same notice again changes nothing', async () => {
    const { order, id } = await pendingHere(world);
    const event = eventOf(world, id, 'charge.authorized');
    assert.deepEqual(await world.webhook(event), { duplicate: false });
    assert.deepEqual(await world.webhook(event), { duplicate: true });
    assert.deepEqual(await Promise.all([world.webhook(event), world.webhook(event)]), [
      { duplicate: true },
      { duplicate: true },
    ]);
    assert.equal(world.status(await world.find(order)), 'AUTHORIZED');
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized']);
  });

  test('two deliveries of one notice at the same time count once', async () => {
    const { order, id } = await pendingHere(world);
    const event = eventOf(world, id, 'charge.authorized');
    const all = await Promise.all(Array.from({ length: 6 }, () => world.webhook(event)));
    assert.equal(all.filter(({ duplicate }) => !duplicate).length, 1);
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized']);
  });

  test('notices in the wrong order never move a payment backwards', async () => {
    const { order, id, chargeId } = await pendingHere(world);
    await world.call((ctx) =>
      world.deps.parts.provider.capture(ctx, chargeId, { key: `${id}/capture`, amount: 1000n }),
    );
    await world.webhook(eventOf(world, id, 'charge.captured'));
    assert.equal(world.status(await world.find(order)), 'CAPTURED');
    await world.webhook(eventOf(world, id, 'charge.authorized'));
    assert.equal(world.status(await world.find(order)), 'CAPTURED');
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized', 'PaymentCaptured']);
  });

  test('what is forged, old or for another provider is refused before it is read', async () => {
    const { order, id } = await pendingHere(world);
    const event = eventOf(world, id, 'charge.authorized');
    await assert.rejects(world.webhook(event, { secret: 'guessed' }), refusedWith('SIGNATURE_INVALID'));
    await assert.rejects(world.webhook(event, { signature: '' }), refusedWith('SIGNATURE_INVALID'));
    await assert.rejects(world.webhook(event, { ageMs: 301_000 }), refusedWith('SIGNATURE_EXPIRED'));
    await assert.rejects(world.webhook(event, { provider: 'other' }), refusedWith('PAYMENTS_PROVIDER_UNKNOWN'));
    await assert.rejects(world.webhook({ id: 'x' }), refusedWith('PAYMENTS_WEBHOOK_MALFORMED'));
    assert.deepEqual(world.eventsOf(order), []);
    assert.deepEqual(await world.webhook(event, { secret: SECRETS[0] }), { duplicate: false }, 'every live secret');
  });

  test('a refund that fails later takes the money back into the books', async () => {
    const order = world.order();
    const id = String((await world.authorize(order, await world.method())).id);
    await world.capture(order);
    await world.refund(id, undefined, id);
    const event = eventOf(world, id, 'refund.failed');
    const refunds = event.data.refunds.map((refund) => ({ ...refund, status: 'failed' as const }));
    const late = { ...event, data: { ...event.data, refunded: 0, refunds } };
    await world.webhook(late);
    await world.webhook({ ...late, id: 'sent-anew' });
    assert.deepEqual(world.eventsOf(order).slice(-2), ['PaymentRefunded', 'PaymentRefundFailed']);
    const payment = await world.find(order);
    assert.deepEqual([world.status(payment), payment.refunds?.[0]?.status], ['CAPTURED', 3]);
    const receivable = (await world.ledger(id)).filter(({ account }) => account === 'provider_receivable');
    assert.equal(
      receivable.reduce((sum, { amount }) => sum + (amount?.minorUnits ?? 0n), 0n),
      1000n,
    );
  });

  test('a notice of a charge that is not ours is taken and ignored', async () => {
    const { id } = await pendingHere(world);
    const event = eventOf(world, id, 'charge.authorized', 'stranger');
    assert.deepEqual(await world.webhook({ ...event, data: { ...event.data, reference: 'unknown' } }), {
      duplicate: false,
    });
  });
});

describe('reconciliation', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  beforeEach(() => world.deps.policies.reset('http:payment-provider'));

  test('books that agree have no issues', async () => {
    const order = world.order();
    await world.authorize(order, await world.method());
    await world.capture(order);
    const { checked, repaired, issues } = await world.reconcile();
    assert.ok((checked ?? 0) >= 1);
    assert.deepEqual([repaired, issues], [0, []]);
  });

  test('a state that we missed is repaired', async () => {
    const { order } = await pendingHere(world);
    assert.equal((await world.reconcile()).repaired, 1);
    assert.deepEqual(world.eventsOf(order), ['PaymentAuthorized']);
    assert.equal((await world.reconcile()).repaired, 0);
  });

  test('a hold that came after its payment was called off is released', async () => {
    const { order, id } = await pendingHere(world);
    await world.sql().query("update payment set status = 'VOIDED' where id = $1", [id]);
    await world.sql().query("update payment_attempt set state = 'failed' where payment_id = $1", [id]);
    assert.equal((await world.reconcile()).repaired, 1);
    assert.deepEqual(
      world.charges(id).map(({ status }) => status),
      ['voided'],
    );
    assert.deepEqual(world.eventsOf(order), []);
  });

  test('what cannot be repaired is named: theirs only, ours only, amount, state', async () => {
    const order = world.order();
    const id = String((await world.authorize(order, await world.method())).id);
    await world.capture(order);
    const paymentMethod = (await world.sql().query<{ r: string }>('select method_reference as r from payment limit 1'))
      .rows[0]!.r;
    await world.call((ctx) =>
      world.deps.parts.provider.authorize(ctx, {
        key: 'elsewhere',
        amount: 5n,
        currency: 'EUR',
        paymentMethod,
        reference: 'not-ours',
      }),
    );
    const other = world.order();
    const wrongAmount = String((await world.authorize(other, await world.method())).id);
    await world.sql().query('update payment set amount = 999 where id = $1', [wrongAmount]);
    await world.sql().query(
      `insert into payment select ($2::text), 'x', by_hand, user_id, payment_method_id, method_reference, status, currency, amount,
         captured, refunded, refund_reserved, capturing, cancel_reason, order_cancelled, failure_code, 'chg_gone', reference, version,
         created_at, updated_at from payment where id = $1`,
      [id, world.runtime.ids.next('pay')],
    );
    await world.sql().query("update payment set status = 'VOIDED', captured = 0 where id = $1", [id]);
    await new Promise((resolve) => setTimeout(resolve, 15));
    const kinds = (await world.reconcile()).issues?.map(({ kind }) => ReconciliationIssue_Kind[kind ?? 0]);
    assert.deepEqual(kinds?.toSorted(), ['AMOUNT', 'OURS_ONLY', 'STATE', 'THEIRS_ONLY']);
  });
});
