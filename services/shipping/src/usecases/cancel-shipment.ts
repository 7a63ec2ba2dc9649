import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { OrderCancelled } from '@souk/contracts/orders/v1/events';
import { ShipmentCancelledSchema, ShipmentNotStoppedSchema } from '@souk/contracts/shipping/v1/events';
import type { CancelShipmentRequest } from '@souk/contracts/shipping/v1/shipping';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { Transaction } from '@souk/store';
import { shipmentMessage } from '../api/shipment-message.ts';
import type { ShippingDeps } from '../deps.ts';
import { hasLeft } from '../domain/shipment.ts';
import { insertShipment, lockShipment, moveShipment, type Shipment } from '../store/shipment-repository.ts';

const DEFAULT_REASON = 'CANCELLED';

/** Stops the shipment of an order that has not left the house; before there is one, it makes sure that none will be. */
export const cancelShipment = (deps: ShippingDeps) => async (ctx: Context, request: CancelShipmentRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const reason = request.reason || DEFAULT_REASON;
    return shipmentMessage(
      await cancelIn(tx, deps, { orderId: request.orderId, userId: '', reason, orderCancelled: false }),
    );
  });

/** A cancelled order is not sent. */
export const onOrderCancelled =
  (deps: ShippingDeps) => async (_ctx: Context, event: OrderCancelled, delivery: Delivery) => {
    const { orderId, userId } = event;
    await delivery.once((tx) =>
      cancelIn(tx, deps, { orderId, userId, reason: 'ORDER_CANCELLED', orderCancelled: true }),
    );
  };

async function cancelIn(
  tx: Transaction,
  deps: ShippingDeps,
  order: { orderId: string; userId: string; reason: string; orderCancelled: boolean },
): Promise<Shipment> {
  const { orderId, reason } = order;
  const now = new Date(deps.runtime.clock.now());
  const event = { status: 'CANCELLED', at: now.toISOString(), note: reason } as const;
  const tombstone = await insertShipment(tx, {
    order_id: orderId,
    id: deps.runtime.ids.next('shp'),
    user_id: order.userId,
    status: 'CANCELLED',
    carrier: '',
    tracking_number: '',
    address: {},
    lines: [],
    tracking: [event],
    currency: 'EUR',
    cost_minor: 0n,
    created_at: now,
  });
  if (tombstone) return tombstone;
  const shipment = (await lockShipment(tx, orderId)) as Shipment;
  if (shipment.status === 'CANCELLED') return shipment;
  if (hasLeft(shipment.status)) {
    if (!order.orderCancelled) return shipment;
    // The parcel was handed over while the order was being cancelled: the money goes back, the goods do not. A person must call it back.
    tx.ctx.log.error('an order was cancelled whose parcel has left; call it back', {
      orderId,
      status: shipment.status,
    });
    await deps.events.publish(tx, ShipmentNotStoppedSchema, {
      orderId,
      shipmentId: shipment.id,
      userId: shipment.user_id,
      reason,
      at: timestampFromDate(now),
    });
    tx.afterCommit(() => deps.count('cancelled_after_dispatch'));
    return shipment;
  }
  const cancelled = await moveShipment(tx, orderId, event);
  await deps.events.publish(tx, ShipmentCancelledSchema, {
    orderId,
    shipmentId: shipment.id,
    userId: shipment.user_id,
    reason,
    at: timestampFromDate(now),
  });
  return cancelled;
}
