import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Shipment_Status } from '@souk/contracts/shipping/v1/shipping';
import type { Shipment } from '../store/shipment-repository.ts';

export const shipmentMessage = (shipment: Shipment) => ({
  id: shipment.id,
  orderId: shipment.order_id,
  userId: shipment.user_id,
  status: Shipment_Status[shipment.status],
  carrier: shipment.carrier,
  trackingNumber: shipment.tracking_number,
  ...('name' in shipment.address && { address: shipment.address }),
  cost: { currency: shipment.currency, minorUnits: shipment.cost_minor },
  events: shipment.tracking.map(({ status, at, note }) => ({
    status: Shipment_Status[status],
    at: timestampFromDate(new Date(at)),
    note,
  })),
  lines: [...shipment.lines],
  createdAt: timestampFromDate(shipment.created_at),
  updatedAt: timestampFromDate(shipment.updated_at),
  version: shipment.version,
});
