import type { VoidPaymentRequest } from '@souk/contracts/payments/v1/payments';
import { type Context, fromUnknown } from '@souk/kernel';
import { paymentMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { paymentErrors } from '../errors.ts';
import { callOff } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { times } from './times.ts';

const DEFAULT_REASON = 'CALLED_OFF';

/**
 * Releases what is held for an order. From its reply on it is certain that nothing stays held and nothing will be taken: when the
 * provider does not answer, the sweeper goes on.
 *
 * @throws PAYMENTS_ALREADY_CAPTURED
 */
export const voidPayment =
  (deps: PaymentsDeps) =>
  async (ctx: Context, { orderId, reason }: VoidPaymentRequest) => {
    const off = {
      orderId,
      id: deps.runtime.ids.next('pay'),
      userId: '',
      reason: reason || DEFAULT_REASON,
      orderCancelled: false,
    };
    const payment = await callOff(deps.db.at(ctx), off, times(deps));
    if (payment === undefined) throw paymentErrors.ALREADY_CAPTURED();
    return paymentMessage(await releaseNow(ctx, deps, payment), deps.parts.provider.name);
  };

/** Tries at once what the sweeper would do a little later. */
export async function releaseNow(ctx: Context, deps: PaymentsDeps, payment: PaymentRow): Promise<PaymentRow> {
  try {
    return await deps.parts.pursue.release(ctx, payment);
  } catch (thrown) {
    ctx.log.warn('money is still held; it is released later', { paymentId: payment.id, err: fromUnknown(thrown) });
    return payment;
  }
}
