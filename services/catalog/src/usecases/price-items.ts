import type { PriceItemsRequest } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { DEFAULT_CURRENCY } from '../domain/money.ts';
import type { CatalogParts } from '../parts.ts';

/** Names and prices as they are now: never from a cache, because an order is charged by them. */
export const priceItems = (parts: CatalogParts) => async (ctx: Context, request: PriceItemsRequest) => {
  const currency = request.currency || DEFAULT_CURRENCY;
  const ids = [...new Set(request.productIds)];
  const rows = new Map((await parts.products.findPrices(ctx, ids, currency)).map((row) => [row.id, row]));
  const items = ids
    .map((id) => rows.get(id))
    .filter((row) => row !== undefined)
    .map(({ id, name, status, version, price }) => ({
      productId: id,
      name,
      ...(price !== null && { unitPrice: { currency, minorUnits: price } }),
      available: status === 'active' && price !== null,
      version,
    }));
  return { items, notFound: ids.filter((id) => !rows.has(id)) };
};
