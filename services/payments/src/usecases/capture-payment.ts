import type { CapturePaymentRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { paymentMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { paymentErrors } from '../errors.ts';
import { beginCapture } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { times } from './times.ts';

/**
 * Takes what is held for an order. Asked again, or after the order was cancelled, it returns the payment as it is.
 *
 * @throws PAYMENTS_NOT_FOUND, PAYMENTS_NOT_AUTHORIZED, PAYMENTS_CAPTURE_REFUSED; PAYMENTS_OUTCOME_UNKNOWN: ask again
 */
export const capturePayment =
  (deps: PaymentsDeps) =>
  async (ctx: Context, { orderId }: CapturePaymentRequest) => {
    const payment = await beginCapture(deps.db.at(ctx), orderId, times(deps));
    if (payment === undefined) throw paymentErrors.NOT_FOUND();
    const now = payment.begun ? await deps.parts.pursue.capture(ctx, payment) : payment;
    if (!isDone(now)) throw paymentErrors.NOT_AUTHORIZED({ status: now.status });
    return paymentMessage(now, deps.parts.provider.name);
  };

/** Taken, or rightly not taken: whoever cancels an order sees to its money. */
const isDone = (payment: PaymentRow): boolean => payment.captured > 0n || payment.order_cancelled;
