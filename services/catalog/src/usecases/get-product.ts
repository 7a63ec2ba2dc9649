import type { GetProductRequest } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { productMessage } from '../api/messages.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';

/** One product, archived or not, as it is now. */
export const getProduct = (parts: CatalogParts) => async (ctx: Context, request: GetProductRequest) => {
  const product = await parts.products.find(ctx, request.id);
  if (product === undefined) throw catalogErrors.PRODUCT_NOT_FOUND({ id: request.id });
  return productMessage(product, request.currency);
};
