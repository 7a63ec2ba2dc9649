import type { SetStockRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import { checkEtag } from '@souk/service';
import { availabilityMessage } from '../api/messages.ts';
import type { InventoryDeps } from '../deps.ts';
import { inventoryErrors } from '../errors.ts';
import { lockStock, setStock as write } from '../store/stock-repository.ts';

/** Sets how many units are there, as counted. Never below what orders hold. */
export const setStock = (deps: InventoryDeps) => async (ctx: Context, request: SetStockRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const { productId, onHand = 0, etag } = request;
    const current = await lockStock(tx, productId);
    checkEtag(etag, current.version);
    if (onHand < current.reserved) throw inventoryErrors.BELOW_RESERVED({ reserved: current.reserved });
    const ref = deps.runtime.ids.uuid();
    const now = new Date(deps.runtime.clock.now());
    return availabilityMessage(await write(tx, productId, onHand, ref, now));
  });
