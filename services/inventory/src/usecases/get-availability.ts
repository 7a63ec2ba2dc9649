import type { GetAvailabilityRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import { availabilityMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { findStock } from '../store/stock-repository.ts';

/** A product that was never counted has none. */
export const getAvailability = (deps: InventoryDeps) => async (ctx: Context, request: GetAvailabilityRequest) => {
  const stock = await findStock(deps.db.at(ctx), request.productId);
  return availabilityMessage(stock ?? { product_id: request.productId, on_hand: 0, reserved: 0, version: 0 });
};
