import type { PaymentRefunded, PaymentVoided } from '@souk/contracts/payments/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { OrdersDeps } from '../deps.ts';
import type { PaymentStatus } from '../domain/order.ts';

/** Notes in the order what happened to its money. Payments without an order, such as manual charges, are none of its business. */
export const followPayment =
  (deps: OrdersDeps, paymentStatus: PaymentStatus) =>
  async (_ctx: Context, event: PaymentVoided | PaymentRefunded, delivery: Delivery) => {
    if (event.orderId === '') return;
    // A part of the money given back leaves the order paid.
    if (event.$typeName === 'souk.payments.v1.PaymentRefunded' && !event.full) return;
    const at = new Date(deps.runtime.clock.now()).toISOString();
    await delivery.once((tx) =>
      deps.parts.orders.change(tx, event.orderId, () => ({
        type: 'RecordPayment',
        paymentStatus,
        paymentId: event.paymentId,
        actor: 'payments',
        at,
      })),
    );
  };
