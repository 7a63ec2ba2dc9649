import type { GetShipmentRequest } from '@souk/contracts/shipping/v1/shipping';
import type { Context } from '@souk/kernel';
import { mayActFor } from '@souk/service';
import { shipmentMessage } from '../api/shipment-message.ts';
import type { ShippingDeps } from '../deps.ts';
import { shippingErrors } from '../errors.ts';
import { findShipment } from '../store/shipment-repository.ts';

export const getShipment = (deps: ShippingDeps) => async (ctx: Context, request: GetShipmentRequest) => {
  const shipment = await findShipment(deps.db.at(ctx), request.orderId);
  if (shipment === undefined || !mayActFor(ctx, shipment.user_id)) {
    throw shippingErrors.NOT_FOUND({ orderId: request.orderId });
  }
  return shipmentMessage(shipment);
};
