import type { OrderCancelled } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { PaymentsDeps } from '../deps.ts';
import { callOff } from '../store/payment-repository.ts';
import { times } from './times.ts';
import { releaseNow } from './void-payment.ts';

const REASON = 'ORDER_CANCELLED';

/** A cancelled order lets go of what is held and gives back what was taken. The intention is kept with the event; a crash delays it only. */
export const settleCancelledOrder =
  (deps: PaymentsDeps) => async (ctx: Context, event: OrderCancelled, delivery: Delivery) => {
    const { orderId, userId } = event;
    const id = deps.runtime.ids.next('pay');
    const payment = await delivery.once((tx) =>
      callOff(tx, { orderId, id, userId, reason: REASON, orderCancelled: true }, times(deps)),
    );
    if (payment !== undefined) await releaseNow(ctx, deps, payment);
  };
