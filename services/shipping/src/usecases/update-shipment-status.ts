import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  ShipmentCancelledSchema,
  ShipmentDeliveredSchema,
  ShipmentDispatchedSchema,
} from '@souk/contracts/shipping/v1/events';
import { Shipment_Status, type UpdateShipmentStatusRequest } from '@souk/contracts/shipping/v1/shipping';
import type { Context } from '@souk/kernel';
import { checkEtag } from '@souk/service';
import type { Transaction } from '@souk/store';
import { shipmentMessage } from '../api/shipment-message.ts';
import type { ShippingDeps } from '../deps.ts';
import { hasLeft, mayMove, type ShipmentStatus } from '../domain/shipment.ts';
import { shippingErrors } from '../errors.ts';
import { lockShipment, moveShipment, type Shipment } from '../store/shipment-repository.ts';

/** Notes what the carrier reports. */
export const updateShipmentStatus =
  (deps: ShippingDeps) => async (ctx: Context, request: UpdateShipmentStatusRequest) =>
    deps.db.tx(ctx, async (tx) => {
      const { orderId } = request;
      const before = await lockShipment(tx, orderId);
      if (before === undefined) throw shippingErrors.NOT_FOUND({ orderId });
      checkEtag(request.etag, before.version);
      const status = Shipment_Status[request.status] as ShipmentStatus;
      if (!mayMove(before.status, status)) return shipmentMessage(before);
      const at = new Date(deps.runtime.clock.now()).toISOString();
      const after = await moveShipment(tx, orderId, { status, at, note: request.note });
      await announce(tx, deps, before, after);
      return shipmentMessage(after);
    });

/** The first status outside the house is the dispatch, whichever it is. */
async function announce(tx: Transaction, deps: ShippingDeps, before: Shipment, after: Shipment): Promise<void> {
  const { order_id: orderId, id: shipmentId, user_id: userId, carrier, tracking_number: trackingNumber } = after;
  const facts = { orderId, shipmentId, userId, at: timestampFromDate(after.updated_at) };
  if (after.status === 'CANCELLED') await deps.events.publish(tx, ShipmentCancelledSchema, facts);
  else if (!hasLeft(before.status) && hasLeft(after.status)) {
    await deps.events.publish(tx, ShipmentDispatchedSchema, { ...facts, carrier, trackingNumber });
  }
  if (after.status === 'DELIVERED') await deps.events.publish(tx, ShipmentDeliveredSchema, facts);
}
