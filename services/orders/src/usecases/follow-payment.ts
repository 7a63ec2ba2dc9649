import type {
  PaymentFailed,
  PaymentRefunded,
  PaymentRefundFailed,
  PaymentVoided,
} from '@souk/contracts/payments/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import type { Order, PaymentStatus } from '../domain/order.ts';

/** Notes in the order what happened to its money. Payments without an order, such as manual charges, are none of its business. */
export const followPayment =
  (deps: OrdersDeps, paymentStatus: PaymentStatus) =>
  async (
    _ctx: Context,
    event: PaymentVoided | PaymentRefunded | PaymentRefundFailed | PaymentFailed,
    delivery: Delivery,
  ) => {
    if (event.orderId === '') return;
    // A part of the money given back leaves the order paid.
    if (event.$typeName === 'souk.payments.v1.PaymentRefunded' && !event.full) return;
    const at = new Date(deps.runtime.clock.now()).toISOString();
    await delivery.once((tx) =>
      deps.parts.orders.change(tx, event.orderId, (order): OrderCommand | undefined => {
        if (paymentStatus === 'REFUND_FAILED' && !isToBeRefunded(order)) return undefined;
        return { type: 'RecordPayment', paymentStatus, paymentId: event.paymentId, actor: 'payments', at };
      }),
    );
  };

/** Otherwise somebody wanted to give back a part of the money by hand, and the order stays paid. */
const isToBeRefunded = ({ status, paymentStatus }: Order): boolean =>
  status === 'CANCELLED' || paymentStatus === 'REFUNDED';
