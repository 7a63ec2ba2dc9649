import type { FindPaymentRequest, GetPaymentRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { mayActFor } from '@souk/service';
import { paymentMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { paymentErrors } from '../errors.ts';
import { findPayment as findById, findByOrder } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { findRefunds } from '../store/settlement.ts';

/** With its refunds. */
export const shownPayment = async (ctx: Context, deps: PaymentsDeps, payment: PaymentRow) =>
  paymentMessage(payment, deps.parts.provider.name, await findRefunds(deps.db.at(ctx), [payment.id]));

/** The payment of an order; an outcome that is not known is asked for first. @throws PAYMENTS_NOT_FOUND, PAYMENTS_OUTCOME_UNKNOWN */
export const findPayment =
  (deps: PaymentsDeps) =>
  async (ctx: Context, { orderId }: FindPaymentRequest) => {
    const payment = await findByOrder(deps.db.at(ctx), orderId);
    if (payment === undefined) throw paymentErrors.NOT_FOUND();
    return shownPayment(ctx, deps, await deps.parts.pursue.resolve(ctx, payment));
  };

/** @throws PAYMENTS_NOT_FOUND, also when it is somebody else's */
export const getPayment =
  (deps: PaymentsDeps) =>
  async (ctx: Context, { id }: GetPaymentRequest) => {
    const payment = await findById(deps.db.at(ctx), id);
    if (payment === undefined || !mayActFor(ctx, payment.user_id)) throw paymentErrors.NOT_FOUND();
    return shownPayment(ctx, deps, payment);
  };
