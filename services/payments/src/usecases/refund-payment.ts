import { type RefundPaymentRequest, RefundPaymentRequestSchema } from '@souk/contracts/payments/v1/payments';
import { type Context, fromUnknown, hasReason } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import type { PaymentsDeps } from '../deps.ts';
import { paymentErrors } from '../errors.ts';
import { findPayment } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { beginRefund, findRefund } from '../store/settlement.ts';
import { shownPayment } from './find-payment.ts';
import { oncePerKey } from './once-per-key.ts';
import { times } from './times.ts';

/**
 * Gives money back. When the provider does not answer, the refund is PENDING and the sweeper goes on.
 *
 * @throws PAYMENTS_NOT_FOUND, PAYMENTS_REFUND_TOO_LARGE, PAYMENTS_CURRENCY_MISMATCH, PAYMENTS_AMOUNT_INVALID, PAYMENTS_REFUND_REFUSED
 */
export const refundPayment = (deps: PaymentsDeps) => async (ctx: Context, request: RefundPaymentRequest) => {
  const refundId = await oncePerKey(ctx, deps, RefundPaymentRequestSchema, request, (tx) => begin(tx, deps, request));
  const sql = deps.db.at(ctx);
  const [payment, refund] = [await findPayment(sql, request.id), await findRefund(sql, refundId)];
  if (payment === undefined || refund === undefined) throw paymentErrors.NOT_FOUND();
  try {
    await deps.parts.pursue.refund(ctx, payment, refund);
  } catch (thrown) {
    if (!hasReason(thrown, 'PAYMENTS_OUTCOME_UNKNOWN')) throw thrown;
    ctx.log.warn('a refund has no outcome yet; it is looked into later', { refundId, err: fromUnknown(thrown) });
  }
  if ((await findRefund(sql, refundId))?.status === 'FAILED') throw paymentErrors.REFUND_REFUSED();
  return shownPayment(ctx, deps, (await findPayment(sql, payment.id)) ?? payment);
};

async function begin(tx: Transaction, deps: PaymentsDeps, request: RefundPaymentRequest): Promise<string> {
  const payment = await findPayment(tx, request.id);
  if (payment === undefined) throw paymentErrors.NOT_FOUND();
  const amount = amountOf(request, payment);
  const id = deps.runtime.ids.next('rfd');
  const refund = await beginRefund(tx, { id, paymentId: payment.id, amount, reason: request.reason }, times(deps));
  if (refund !== undefined) return id;
  const now = (await findPayment(tx, request.id)) ?? payment;
  throw paymentErrors.REFUND_TOO_LARGE({ left: String(now.captured - now.refunded - now.refund_reserved) });
}

function amountOf({ amount }: RefundPaymentRequest, payment: PaymentRow): bigint | undefined {
  if (amount === undefined) return undefined;
  if (amount.minorUnits < 1n) throw paymentErrors.AMOUNT_INVALID();
  if (amount.currency !== payment.currency) throw paymentErrors.CURRENCY_MISMATCH({ currency: payment.currency });
  return amount.minorUnits;
}
