import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import {
  PaymentAuthorizedSchema,
  PaymentCapturedSchema,
  PaymentFailedSchema,
  PaymentRefundedSchema,
  PaymentRefundFailedSchema,
  PaymentVoidedSchema,
} from '@souk/contracts/payments/v1/events';
import { PaymentService } from '@souk/contracts/payments/v1/payments';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import type { Clock, Context } from '@souk/kernel';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { paymentsSettings } from './config.ts';
import { calls, type PaymentsDeps } from './deps.ts';
import { createParts } from './parts.ts';
import { paymentsMigrations } from './store/migrations.ts';
import { authorizePayment } from './usecases/authorize-payment.ts';
import { capturePayment } from './usecases/capture-payment.ts';
import { createPayment } from './usecases/create-payment.ts';
import { findPayment, getPayment } from './usecases/find-payment.ts';
import { forgetWebhooks } from './usecases/forget-webhooks.ts';
import { handleWebhook } from './usecases/handle-webhook.ts';
import { listLedger } from './usecases/list-ledger.ts';
import { listUserPayments } from './usecases/list-user-payments.ts';
import { createPaymentMethod, forgetUser, listPaymentMethods } from './usecases/payment-methods.ts';
import { refundPayment } from './usecases/refund-payment.ts';
import { resumeAttempts } from './usecases/resume-attempts.ts';
import { runReconciliation } from './usecases/run-reconciliation.ts';
import { settleCancelledOrder } from './usecases/settle-cancelled-order.ts';
import { voidPayment } from './usecases/void-payment.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Payments through an outside provider. No card is charged twice, whatever gets lost on the way. */
export const payments = defineService({
  name: 'payments',
  serves: [PaymentService],
  calls,
  publishes: [
    PaymentAuthorizedSchema,
    PaymentCapturedSchema,
    PaymentVoidedSchema,
    PaymentRefundedSchema,
    PaymentRefundFailedSchema,
    PaymentFailedSchema,
  ],
  consumes: [on(OrderCancelledSchema, settleCancelledOrder), on(UserDeletedSchema, forgetUser)],
  settings: paymentsSettings,
  migrations: paymentsMigrations,
  parts: createParts,
  start: (deps: PaymentsDeps) => {
    const { resolveEvery, reconcileEvery } = deps.settings;
    const reconcile = runReconciliation(deps);
    deps.schedule({ name: 'resume-attempts', everyMs: resolveEvery, run: resumeAttempts(deps) });
    deps.schedule({
      name: 'reconcile',
      everyMs: MINUTE_MS,
      run: whenDue(deps.runtime.clock, reconcileEvery, reconcile),
    });
    deps.schedule({ name: 'forget-webhooks', everyMs: HOUR_MS, run: forgetWebhooks(deps) });
    return {
      createPaymentMethod: createPaymentMethod(deps),
      listPaymentMethods: listPaymentMethods(deps),
      getPayment: getPayment(deps),
      listUserPayments: listUserPayments(deps),
      createPayment: createPayment(deps),
      refundPayment: refundPayment(deps),
      handleWebhook: handleWebhook(deps),
      listLedger: listLedger(deps),
      authorizePayment: authorizePayment(deps),
      capturePayment: capturePayment(deps),
      voidPayment: voidPayment(deps),
      findPayment: findPayment(deps),
      runReconciliation: reconcile,
    };
  },
});

/** Runs when the last run that succeeded is long enough ago: one that failed is made up for at the next turn. */
function whenDue(clock: Clock, everyMs: number, run: (ctx: Context, request: object) => Promise<unknown>) {
  let dueAtMs = Number.NEGATIVE_INFINITY;
  return async (ctx: Context): Promise<void> => {
    if (clock.monotonicMs() < dueAtMs) return;
    await run(ctx, {});
    dueAtMs = clock.monotonicMs() + everyMs;
  };
}
