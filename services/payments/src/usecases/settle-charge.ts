import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentRefundedSchema,
  PaymentRefundFailedSchema,
  PaymentVoidedSchema,
} from '@souk/contracts/payments/v1/events';
import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import { money } from '../api/messages.ts';
import { refundOfKey, type Step, stepsTo } from '../domain/payment.ts';
import type { PartsDeps } from '../parts.ts';
import type { ProviderCharge, ProviderRefund } from '../provider.ts';
import { findPayment } from '../store/payment-repository.ts';
import type { PaymentRow, RefundRow } from '../store/payment-row.ts';
import {
  findRefund,
  settleAbandoned,
  settleAuthorized,
  settleCaptured,
  settleFailed,
  settleRefund,
  settleRefusedRefund,
  settleReversedRefund,
  settleVoided,
} from '../store/settlement.ts';

/**
 * Brings our side to where the provider is, whoever brought the news: a reply, a query, a webhook or the reconciliation. State, ledger
 * and event are one transaction; news that is old or known change nothing.
 */
export interface Settle {
  /** @returns the payment as it is now */
  charge(ctx: Context, payment: PaymentRow, charge: ProviderCharge): Promise<PaymentRow>;
  /** The same in a transaction of the caller. */
  chargeIn(tx: Transaction, payment: PaymentRow, charge: ProviderCharge): Promise<PaymentRow>;
  /** @returns the payment as it is now */
  refund(ctx: Context, payment: PaymentRow, refund: RefundRow, outcome: ProviderRefund['status']): Promise<PaymentRow>;
  /** Called off before the provider heard of it. */
  abandoned(ctx: Context, payment: PaymentRow): Promise<PaymentRow>;
}

/** What events say of a payment. A charge by hand pays no order, also when it belongs to one. */
const subject = (payment: PaymentRow, now: Date) => ({
  paymentId: payment.id,
  orderId: payment.by_hand ? '' : payment.order_id,
  userId: payment.user_id,
  at: timestampFromDate(now),
});

export function createSettle(deps: PartsDeps): Settle {
  const { db, events, runtime } = deps;
  const nowDate = () => new Date(runtime.clock.now());
  const counted = (tx: Transaction, event: string) => tx.afterCommit(() => deps.count(event));

  const moves: Readonly<
    Record<
      Step,
      (tx: Transaction, payment: PaymentRow, charge: ProviderCharge, now: Date) => Promise<PaymentRow | undefined>
    >
  > = {
    authorize: async (tx, payment, charge, now) => {
      const next = await settleAuthorized(tx, payment, charge.id, now);
      if (next === undefined) return undefined;
      const amount = money(next.currency, next.amount);
      await events.publish(tx, PaymentAuthorizedSchema, { ...subject(next, now), amount });
      counted(tx, 'payment_authorized');
      return next;
    },
    capture: async (tx, payment, charge, now) => {
      const next = await settleCaptured(tx, payment, charge.captured, now);
      if (next === undefined) return undefined;
      const amount = money(next.currency, next.captured);
      await events.publish(tx, PaymentCapturedSchema, { ...subject(next, now), amount });
      counted(tx, 'payment_captured');
      return next;
    },
    void: async (tx, payment, _charge, now) => {
      const next = await settleVoided(tx, payment, now);
      if (next !== undefined) await publishVoided(tx, next, now);
      return next;
    },
    fail: async (tx, payment, charge, now) => {
      const failureCode = charge.failureCode.toUpperCase() || 'CARD_DECLINED';
      const next = await settleFailed(tx, payment, charge.id, failureCode, now);
      if (next === undefined) return undefined;
      await events.publish(tx, PaymentFailedSchema, { ...subject(next, now), failureCode });
      counted(tx, 'payment_failed');
      return next;
    },
  };

  async function publishVoided(tx: Transaction, payment: PaymentRow, now: Date): Promise<void> {
    const amount = money(payment.currency, payment.amount);
    const reason = payment.cancel_reason || 'VOIDED_BY_PROVIDER';
    await events.publish(tx, PaymentVoidedSchema, { ...subject(payment, now), amount, reason });
    counted(tx, 'payment_voided');
  }

  const reread = async (tx: Transaction, payment: PaymentRow): Promise<PaymentRow> =>
    (await findPayment(tx, payment.id)) ?? payment;

  const chargeIn: Settle['chargeIn'] = async (tx, payment, charge) => {
    const now = nowDate();
    let current = payment;
    for (const step of stepsTo(payment.status, charge.status)) {
      const next = await moves[step](tx, current, charge, now);
      // Somebody else made the move in the meantime, and what follows it too or soon.
      if (next === undefined) return reread(tx, current);
      current = next;
    }
    for (const refund of charge.refunds) current = await refundIn(tx, current, refund, now);
    return current;
  };

  /** News of a refund that we began. One that we did not is left to the reconciliation. */
  const refundIn = async (
    tx: Transaction,
    payment: PaymentRow,
    news: ProviderRefund,
    now: Date,
  ): Promise<PaymentRow> => {
    const id = refundOfKey(payment.id, news.idempotencyKey);
    const refund = id === undefined ? undefined : await findRefund(tx, id);
    return refund === undefined ? payment : ((await outcome(tx, refund, news.status, now)) ?? payment);
  };

  const outcome = async (
    tx: Transaction,
    refund: RefundRow,
    status: ProviderRefund['status'],
    now: Date,
  ): Promise<PaymentRow | undefined> => {
    if (status === 'succeeded') return succeeded(tx, refund, now);
    const refused = await settleRefusedRefund(tx, refund, now);
    if (refused !== undefined) return notRefunded(tx, refused, refund, 'REFUSED', now);
    const reversed = await settleReversedRefund(tx, refund, now);
    return reversed && notRefunded(tx, reversed, refund, 'FAILED_LATE', now);
  };

  /** The customer waits for money that does not come: the books are right, and a person has to refund again. */
  const notRefunded = async (
    tx: Transaction,
    payment: PaymentRow,
    refund: RefundRow,
    failureCode: 'REFUSED' | 'FAILED_LATE',
    now: Date,
  ): Promise<PaymentRow> => {
    await events.publish(tx, PaymentRefundFailedSchema, {
      ...subject(payment, now),
      refundId: refund.id,
      amount: money(payment.currency, refund.amount),
      totalRefunded: money(payment.currency, payment.refunded),
      failureCode,
    });
    const fields = { refundId: refund.id, paymentId: payment.id, orderId: payment.order_id, failureCode };
    deps.log.error('money was not given back; see to the payment and refund it again', fields);
    counted(tx, 'refund_failed');
    return payment;
  };

  const succeeded = async (tx: Transaction, refund: RefundRow, now: Date): Promise<PaymentRow | undefined> => {
    const next = await settleRefund(tx, refund, now);
    if (next === undefined) return undefined;
    await events.publish(tx, PaymentRefundedSchema, {
      ...subject(next, now),
      refundId: refund.id,
      amount: money(next.currency, refund.amount),
      totalRefunded: money(next.currency, next.refunded),
      full: next.status === 'REFUNDED',
      reason: refund.reason,
    });
    counted(tx, 'payment_refunded');
    return next;
  };

  return {
    chargeIn,
    charge: (ctx, payment, charge) =>
      stepsTo(payment.status, charge.status).length === 0 && charge.refunds.length === 0
        ? Promise.resolve(payment)
        : db.tx(ctx, (tx) => chargeIn(tx, payment, charge)),
    refund: (ctx, payment, refund, status) =>
      db.tx(ctx, async (tx) => (await outcome(tx, refund, status, nowDate())) ?? (await reread(tx, payment))),
    abandoned: (ctx, payment) =>
      db.tx(ctx, async (tx) => {
        const now = nowDate();
        const next = await settleAbandoned(tx, payment, now);
        if (next === undefined) return reread(tx, payment);
        await publishVoided(tx, next, now);
        return next;
      }),
  };
}
