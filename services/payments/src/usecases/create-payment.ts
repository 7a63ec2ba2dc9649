import { type CreatePaymentRequest, CreatePaymentRequestSchema } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import type { PaymentsDeps } from '../deps.ts';
import { refusal } from '../domain/payment.ts';
import { paymentErrors } from '../errors.ts';
import { beginCaptureById, beginPaymentByHand, findPayment } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { requireAmount } from './authorize-payment.ts';
import { shownPayment } from './find-payment.ts';
import { oncePerKey } from './once-per-key.ts';
import { times } from './times.ts';

/**
 * Charges a payment method by hand: authorizes and captures. Repeated with its key it goes on where it ended.
 *
 * @throws PAYMENTS_METHOD_NOT_FOUND, PAYMENTS_AMOUNT_INVALID, PAYMENTS_CARD_DECLINED and its like; PAYMENTS_OUTCOME_UNKNOWN: ask again
 */
export const createPayment = (deps: PaymentsDeps) => async (ctx: Context, request: CreatePaymentRequest) => {
  const { currency, minorUnits: amount } = requireAmount(request.amount);
  const { orderId, userId, paymentMethodId, reference } = request;
  const id = await oncePerKey(ctx, deps, CreatePaymentRequestSchema, request, async (tx) => {
    const payment = { id: deps.runtime.ids.next('pay'), orderId, userId, paymentMethodId, currency, amount, reference };
    if ((await beginPaymentByHand(tx, payment, times(deps))) === undefined) throw paymentErrors.METHOD_NOT_FOUND();
    return payment.id;
  });
  const payment = await findPayment(deps.db.at(ctx), id);
  if (payment === undefined) throw paymentErrors.NOT_FOUND();
  return shownPayment(ctx, deps, await chargeByHand(ctx, deps, payment));
};

/** Takes a charge by hand from where it is to its end. */
export async function chargeByHand(ctx: Context, deps: PaymentsDeps, payment: PaymentRow): Promise<PaymentRow> {
  const authorized = await deps.parts.pursue.authorize(ctx, payment);
  if (authorized.status === 'FAILED') throw refusal(authorized.failure_code);
  if (authorized.status !== 'AUTHORIZED') return authorized;
  const begun = await beginCaptureById(deps.db.at(ctx), authorized.id, times(deps));
  return begun === undefined ? authorized : deps.parts.pursue.capture(ctx, begun);
}
