import type { ShipmentNotStopped } from '@souk/contracts/shipping/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { InventoryDeps } from '../deps.ts';
import { inventoryErrors } from '../errors.ts';
import { takeOut } from '../store/reservation-repository.ts';

/**
 * A cancelled order whose parcel had left gives nothing back, whichever of the two events comes first. What comes back to the house is
 * counted in by hand.
 *
 * @throws INVENTORY_PARCEL_LEFT when the goods were promised to others meanwhile: heard again later, and a dead letter in the end, since
 * then more was sold than there is
 */
export const keepSold =
  (deps: InventoryDeps) => async (_ctx: Context, event: ShipmentNotStopped, delivery: Delivery) => {
    const { orderId } = event;
    await delivery.once(async (tx) => {
      if (!(await takeOut(tx, orderId, new Date(deps.runtime.clock.now())))) {
        throw inventoryErrors.PARCEL_LEFT({ orderId });
      }
    });
  };
