import type { GetAvailabilityRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import { availabilityMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { inventoryErrors } from '../errors.ts';
import { findStock } from '../store/stock-repository.ts';

export const getAvailability = (deps: InventoryDeps) => async (ctx: Context, request: GetAvailabilityRequest) => {
  const stock = await findStock(deps.db.at(ctx), request.productId);
  if (stock === undefined) throw inventoryErrors.PRODUCT_UNKNOWN({ id: request.productId });
  return availabilityMessage(stock);
};
