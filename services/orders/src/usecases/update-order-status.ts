import { Order_Status, type UpdateOrderStatusRequest } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { actorOf, checkEtag } from '@souk/service';
import type { OrdersDeps } from '../deps.ts';
import type { OrderCommand } from '../domain/decide.ts';
import { orderErrors } from '../errors.ts';
import { cancelIn } from './cancel-order.ts';
import { announceProgress } from './order-progress.ts';
import { showOrder } from './show-order.ts';

const DEFAULT_REASON = 'SET_BY_ADMIN';

/** Moves an order by hand, along the legal moves. Confirming and rejecting belong to the saga: they would leave stock and money behind. */
export function updateOrderStatus(deps: OrdersDeps) {
  return async (ctx: Context, request: UpdateOrderStatusRequest) => {
    const reason = request.reason || DEFAULT_REASON;
    const actor = actorOf(ctx);
    const order = await deps.parts.orders.retrying(ctx, async (tx) => {
      if (request.status === Order_Status.CANCELLED) {
        return cancelIn(tx, deps, { id: request.id, reason, actor, etag: request.etag });
      }
      const at = new Date(deps.runtime.clock.now()).toISOString();
      const change = await deps.parts.orders.change(tx, request.id, (current) => {
        checkEtag(request.etag, current.version);
        return { ...commandFor(request.status), reason, actor, at };
      });
      await announceProgress(tx, deps, change);
      return change.after;
    });
    return showOrder(deps.db.at(ctx), order);
  };
}

function commandFor(status: Order_Status): Pick<Extract<OrderCommand, { type: 'Ship' | 'Deliver' }>, 'type'> {
  if (status === Order_Status.SHIPPED) return { type: 'Ship' };
  if (status === Order_Status.DELIVERED) return { type: 'Deliver' };
  throw orderErrors.TRANSITION_NOT_BY_HAND({ to: Order_Status[status] });
}
