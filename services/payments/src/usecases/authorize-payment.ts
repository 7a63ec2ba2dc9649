import type { AuthorizePaymentRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { paymentMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { refusal } from '../domain/payment.ts';
import { paymentErrors } from '../errors.ts';
import { beginPayment } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { times } from './times.ts';

/**
 * Holds the price of an order. Asked again, it returns the payment there is, or goes on with what has no outcome yet.
 *
 * @throws PAYMENTS_CARD_DECLINED and its like; PAYMENTS_METHOD_NOT_FOUND; PAYMENTS_AMOUNT_INVALID; PAYMENTS_ORDER_CANCELLED when it was
 * called off before; PAYMENTS_OUTCOME_UNKNOWN: ask again
 */
export const authorizePayment = (deps: PaymentsDeps) => async (ctx: Context, request: AuthorizePaymentRequest) => {
  const { orderId, userId, paymentMethodId } = request;
  const { currency, minorUnits: amount } = requireAmount(request.amount);
  const payment = await beginPayment(
    deps.db.at(ctx),
    { id: deps.runtime.ids.next('pay'), orderId, userId, paymentMethodId, currency, amount },
    times(deps),
  );
  if (payment === undefined) throw paymentErrors.METHOD_NOT_FOUND();
  if (payment.cancel_reason !== '') throw paymentErrors.ORDER_CANCELLED();
  const settled = await deps.parts.pursue.authorize(ctx, payment);
  return paymentMessage(await admitted(ctx, deps, settled), deps.parts.provider.name);
};

/** What is to be paid. @throws PAYMENTS_AMOUNT_INVALID */
export function requireAmount(amount: { currency: string; minorUnits: bigint } | undefined) {
  if (amount === undefined || amount.minorUnits < 1n) throw paymentErrors.AMOUNT_INVALID();
  return amount;
}

/** The payment, unless it was refused or called off while the provider was asked. */
async function admitted(ctx: Context, deps: PaymentsDeps, payment: PaymentRow): Promise<PaymentRow> {
  if (payment.status === 'FAILED') throw refusal(payment.failure_code);
  if (payment.status === 'VOIDED') throw paymentErrors.ORDER_CANCELLED();
  if (payment.cancel_reason !== '') {
    await deps.parts.pursue.release(ctx, payment);
    throw paymentErrors.ORDER_CANCELLED();
  }
  return payment;
}
