import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import {
  ShipmentArrangedSchema,
  ShipmentCancelledSchema,
  ShipmentDeliveredSchema,
  ShipmentDispatchedSchema,
  ShipmentNotStoppedSchema,
} from '@souk/contracts/shipping/v1/events';
import { ShippingService } from '@souk/contracts/shipping/v1/shipping';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { shippingSettings } from './config.ts';
import { calls } from './deps.ts';
import { shippingMigrations } from './store/migrations.ts';
import { arrangeShipment } from './usecases/arrange-shipment.ts';
import { cancelShipment, onOrderCancelled } from './usecases/cancel-shipment.ts';
import { forgetUser } from './usecases/forget-user.ts';
import { getShipment } from './usecases/get-shipment.ts';
import { quoteShipping } from './usecases/quote-shipping.ts';
import { updateShipmentStatus } from './usecases/update-shipment-status.ts';

/** Quotes, shipments and their tracking. */
export const shipping = defineService({
  name: 'shipping',
  serves: [ShippingService],
  calls,
  publishes: [
    ShipmentArrangedSchema,
    ShipmentDispatchedSchema,
    ShipmentDeliveredSchema,
    ShipmentCancelledSchema,
    ShipmentNotStoppedSchema,
  ],
  consumes: [on(OrderCancelledSchema, onOrderCancelled), on(UserDeletedSchema, forgetUser)],
  settings: shippingSettings,
  migrations: shippingMigrations,
  start: (deps) => ({
    getShipment: getShipment(deps),
    quoteShipping: quoteShipping(deps),
    updateShipmentStatus: updateShipmentStatus(deps),
    arrangeShipment: arrangeShipment(deps),
    cancelShipment: cancelShipment(deps),
  }),
});
