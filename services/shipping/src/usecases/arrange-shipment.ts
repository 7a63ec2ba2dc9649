import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { ShipmentArrangedSchema } from '@souk/contracts/shipping/v1/events';
import type { ArrangeShipmentRequest } from '@souk/contracts/shipping/v1/shipping';
import type { Context } from '@souk/kernel';
import { shipmentMessage } from '../api/shipment-message.ts';
import type { ShippingDeps } from '../deps.ts';
import { quotes } from '../domain/quote.ts';
import { findShipment, insertShipment, type Shipment, type StoredAddress } from '../store/shipment-repository.ts';

/** Parcels are paid by the shop, in its own currency. */
const CURRENCY = 'EUR';

/** Makes the shipment of an order, once. For an order that was cancelled first it answers the cancelled shipment. */
export const arrangeShipment = (deps: ShippingDeps) => async (ctx: Context, request: ArrangeShipmentRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const { orderId, userId } = request;
    const now = new Date(deps.runtime.clock.now());
    const address = plainAddress(request.address);
    const lines = request.lines.map(({ productId, quantity }) => ({ productId, quantity }));
    const items = lines.reduce((sum, { quantity }) => sum + quantity, 0);
    const [quote] = quotes(items, address.country !== deps.settings.home, 2);
    const id = deps.runtime.ids.next('shp');
    const shipment = await insertShipment(tx, {
      order_id: orderId,
      id,
      user_id: userId,
      status: 'LABEL_CREATED',
      carrier: quote?.carrier ?? '',
      tracking_number: trackingNumber(id),
      address,
      lines,
      tracking: [{ status: 'LABEL_CREATED', at: now.toISOString(), note: '' }],
      currency: CURRENCY,
      cost_minor: quote?.minorUnits ?? 0n,
      created_at: now,
    });
    if (shipment === undefined) return shipmentMessage((await findShipment(tx, orderId)) as Shipment);
    await deps.events.publish(tx, ShipmentArrangedSchema, {
      orderId,
      shipmentId: id,
      userId,
      carrier: shipment.carrier,
      trackingNumber: shipment.tracking_number,
      at: timestampFromDate(now),
    });
    tx.afterCommit(() => deps.count('shipment_arranged'));
    return shipmentMessage(shipment);
  });

function plainAddress(address: ArrangeShipmentRequest['address']): StoredAddress {
  const { name = '', line1 = '', line2 = '', city = '', postalCode = '', country = '' } = address ?? {};
  return { name, line1, line2, city, postalCode, country };
}

/** The random end of the id, as carriers print it. */
const trackingNumber = (id: string): string => `SK${id.slice(-12).toUpperCase()}`;
