import type { ImportStockRequest } from '@souk/contracts/inventory/v1/inventory';
import type { Context } from '@souk/kernel';
import type { InventoryDeps } from '../deps.ts';
import { importStock as write } from '../store/stock-repository.ts';

/** First stock of many products, for whoever fills a catalog. Products that have stock are left alone, so it can be repeated. */
export const importStock = (deps: InventoryDeps) => async (ctx: Context, request: ImportStockRequest) => {
  const onHand = new Map(request.lines.map((line) => [line.productId, line.onHand]));
  const columns = { productIds: [...onHand.keys()], onHand: [...onHand.values()] };
  const now = new Date(deps.runtime.clock.now());
  const imported = await write(deps.db.at(ctx), columns, deps.runtime.ids.uuid(), now);
  return { imported, skipped: request.lines.length - imported };
};
