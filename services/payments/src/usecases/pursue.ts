/*
 * Takes an attempt to its end, however often it is begun again: by the call that began it, by a repeat of the call, by the sweeper
 * after a crash. The provider's key is the same each time, so it does everything once.
 *
 * I1 no call to the provider without a committed attempt.  I2 no database transaction is open during a call.
 * I3 an unknown outcome changes nothing but the time of the next look.
 */
import { type Context, fromUnknown, hasReason, isRetryable } from '@souk/kernel';
import { lateVoidKey, type Purpose, providerKey, resolveAfterMs } from '../domain/payment.ts';
import { paymentErrors } from '../errors.ts';
import type { PartsDeps } from '../parts.ts';
import { persistently } from '../provider/persistence.ts';
import type { PaymentProvider, ProviderCharge } from '../provider.ts';
import { closeAttempt, lastAuthorizationAt, lookAt, noteUnknown } from '../store/attempt-repository.ts';
import { findPayment } from '../store/payment-repository.ts';
import type { PaymentRow, RefundRow } from '../store/payment-row.ts';
import { beginRefund } from '../store/settlement.ts';
import type { Settle } from './settle-charge.ts';

/** All: @throws PAYMENTS_OUTCOME_UNKNOWN when the provider does not say; asking again goes on where this ended. */
export interface Pursue {
  /** PENDING -> AUTHORIZED, FAILED */
  authorize(ctx: Context, payment: PaymentRow): Promise<PaymentRow>;
  /** PENDING -> what the provider says, without asking it for anything new. Stays PENDING when it does not know the charge. */
  resolve(ctx: Context, payment: PaymentRow): Promise<PaymentRow>;
  /** AUTHORIZED -> CAPTURED, or what the provider says instead. @throws PAYMENTS_CAPTURE_REFUSED */
  capture(ctx: Context, payment: PaymentRow): Promise<PaymentRow>;
  /** Lets go of what is held; when the order was cancelled, also of what was taken. */
  release(ctx: Context, payment: PaymentRow): Promise<PaymentRow>;
  refund(ctx: Context, payment: PaymentRow, refund: RefundRow): Promise<PaymentRow>;
}

/** States on the way from PENDING to REFUNDED: no release takes more turns. */
const MOST_TURNS = 5;

export function createPursue(deps: PartsDeps, provider: PaymentProvider, settle: Settle): Pursue {
  const { db, runtime, settings } = deps;
  const nowDate = () => new Date(runtime.clock.now());

  /** Asks, again under the same key when need be. */
  const ask = async <T>(ctx: Context, payment: PaymentRow, purpose: Purpose, send: () => Promise<T>): Promise<T> => {
    try {
      return await persistently(runtime, ctx, send);
    } catch (cause) {
      if (!isRetryable(cause)) throw cause;
      const now = runtime.clock.now();
      if (ctx.remainingMs() > 0) {
        await noteUnknown(db.at(ctx), payment.id, purpose, new Date(now + resolveAfterMs(0)), new Date(now));
      }
      throw paymentErrors.OUTCOME_UNKNOWN({}, { cause });
    }
  };

  const authorize: Pursue['authorize'] = async (ctx, payment) => {
    if (payment.status !== 'PENDING') return payment;
    const key = providerKey(payment.id, 'authorize');
    const { amount, currency, method_reference: paymentMethod, id: reference } = payment;
    const send = () => provider.authorize(ctx, { key, amount, currency, paymentMethod, reference });
    let charge: ProviderCharge;
    try {
      charge = await ask(ctx, payment, 'authorize', send);
    } catch (error) {
      if (!hasReason(error, 'PAYMENTS_OUTCOME_UNKNOWN') || ctx.remainingMs() < settings.callTimeout) throw error;
      const resolved = await resolve(ctx, payment);
      if (resolved.status === 'PENDING') throw error;
      return resolved;
    }
    const settled = await settle.charge(ctx, payment, charge);
    const forgotten = settled.status === 'VOIDED' && settled.provider_reference === '';
    if (forgotten && charge.status === 'authorized') await releaseLate(ctx, settled, charge);
    return settled;
  };

  /** The provider heard of it after we had given it up: what it holds is let go of now, or else by the reconciliation. */
  const releaseLate = async (ctx: Context, payment: PaymentRow, charge: ProviderCharge): Promise<void> => {
    try {
      await provider.void(ctx, charge.id, { key: lateVoidKey(payment.id) });
    } catch (thrown) {
      const fields = { paymentId: payment.id, err: fromUnknown(thrown) };
      ctx.log.warn('money is held for a payment that was given up; the reconciliation lets go of it', fields);
    }
  };

  /** Sends nothing, so an answer that stays away leaves the time alone at which the authorization was sent last: see `abandonUnsent`. */
  const resolve: Pursue['resolve'] = async (ctx, payment) => {
    if (payment.status !== 'PENDING') return payment;
    const key = providerKey(payment.id, 'authorize');
    let charge: ProviderCharge | undefined;
    try {
      charge = await persistently(runtime, ctx, () => provider.findCharge(ctx, key));
    } catch (cause) {
      if (!isRetryable(cause)) throw cause;
      throw paymentErrors.OUTCOME_UNKNOWN({}, { cause });
    }
    return charge === undefined ? payment : settle.charge(ctx, payment, charge);
  };

  /** A refusal may mean that it was done before, or otherwise: the charge itself tells. */
  const settleRefusal = async (ctx: Context, payment: PaymentRow, purpose: Purpose, refusal: unknown) => {
    if (!hasReason(refusal, 'PAYMENTS_PROVIDER_REFUSED')) throw refusal;
    const charge = await ask(ctx, payment, purpose, () => provider.getCharge(ctx, payment.provider_reference));
    return charge === undefined ? payment : settle.charge(ctx, payment, charge);
  };

  const capture: Pursue['capture'] = async (ctx, payment) => {
    if (payment.status !== 'AUTHORIZED') return payment;
    const key = providerKey(payment.id, 'capture');
    const { provider_reference: id, amount } = payment;
    try {
      const charge = await ask(ctx, payment, 'capture', () => provider.capture(ctx, id, { key, amount }));
      return await settle.charge(ctx, payment, charge);
    } catch (refusal) {
      const now = await reread(ctx, await settleRefusal(ctx, payment, 'capture', refusal));
      if (now.captured > 0n || now.order_cancelled) return now;
      await closeAttempt(db.at(ctx), payment.id, 'capture', 'failed', nowDate());
      throw paymentErrors.CAPTURE_REFUSED({ why: now.status }, { cause: refusal });
    }
  };

  const voidHold = async (ctx: Context, payment: PaymentRow): Promise<PaymentRow> => {
    const key = providerKey(payment.id, 'void');
    try {
      const charge = await ask(ctx, payment, 'void', () => provider.void(ctx, payment.provider_reference, { key }));
      return await settle.charge(ctx, payment, charge);
    } catch (refusal) {
      return settleRefusal(ctx, payment, 'void', refusal);
    }
  };

  /** Nothing is known of it at the provider: after a while nothing can be on its way any more either. */
  const abandonUnsent = async (ctx: Context, payment: PaymentRow): Promise<PaymentRow> => {
    const sentAt = (await lastAuthorizationAt(db.at(ctx), payment.id)) ?? payment.created_at;
    const abandonAt = sentAt.getTime() + settings.abandonAfter;
    if (runtime.clock.now() < abandonAt) {
      // Looked at exactly then: the waits between looks grow, and nobody else waits for it.
      await lookAt(db.at(ctx), payment.id, 'void', new Date(abandonAt));
      throw paymentErrors.OUTCOME_UNKNOWN();
    }
    return settle.abandoned(ctx, payment);
  };

  /** The void becomes a refund of what is left: one is closed and the other begun in one transaction. */
  const refundRest = async (ctx: Context, payment: PaymentRow): Promise<PaymentRow> => {
    const now = nowDate();
    const resumeAt = new Date(now.getTime() + settings.resumeAfter);
    const id = runtime.ids.next('rfd');
    const refund = await db.tx(ctx, async (tx) => {
      await closeAttempt(tx, payment.id, 'void', 'succeeded', now);
      const rest = { id, paymentId: payment.id, amount: undefined, reason: payment.cancel_reason };
      return beginRefund(tx, rest, { now, resumeAt });
    });
    return refund === undefined ? reread(ctx, payment) : refundOne(ctx, payment, refund);
  };

  const reread = async (ctx: Context, payment: PaymentRow): Promise<PaymentRow> =>
    (await findPayment(db.at(ctx), payment.id)) ?? payment;

  const closeVoid = async (ctx: Context, payment: PaymentRow): Promise<PaymentRow> => {
    const state = payment.status === 'VOIDED' ? 'succeeded' : 'failed';
    await closeAttempt(db.at(ctx), payment.id, 'void', state, nowDate());
    return payment;
  };

  const release: Pursue['release'] = async (ctx, payment) => {
    let current = payment;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      switch (current.status) {
        case 'PENDING':
          current = await resolve(ctx, current);
          if (current.status === 'PENDING') current = await abandonUnsent(ctx, current);
          break;
        case 'AUTHORIZED':
          // A capture that was begun may have been done: it is finished first, so that it is known what there is to give back.
          current = current.capturing ? await capture(ctx, current) : await voidHold(ctx, current);
          break;
        case 'CAPTURED':
        case 'PARTIALLY_REFUNDED':
          return current.order_cancelled ? refundRest(ctx, current) : closeVoid(ctx, current);
        default:
          return closeVoid(ctx, current);
      }
    }
    return current;
  };

  const refundOne: Pursue['refund'] = async (ctx, payment, refund) => {
    if (refund.status !== 'PENDING') return payment;
    const purpose: Purpose = `refund/${refund.id}`;
    const { amount } = refund;
    const key = providerKey(payment.id, purpose);
    try {
      const made = await ask(ctx, payment, purpose, () =>
        provider.refund(ctx, payment.provider_reference, { key, amount }),
      );
      return await settle.refund(ctx, payment, refund, made.status);
    } catch (refusal) {
      if (!hasReason(refusal, 'PAYMENTS_PROVIDER_REFUSED')) throw refusal;
      return settle.refund(ctx, payment, refund, 'failed');
    }
  };

  return { authorize, resolve, capture, release, refund: refundOne };
}
