import type { GetProductRequest } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';

/** One product, archived or not. */
export const getProduct = (parts: CatalogParts) => async (ctx: Context, request: GetProductRequest) => {
  const { id, currency } = request;
  await parts.changes.see(ctx);
  return parts.answers.products.get(`${id} ${currency}`, async () => {
    const product = await parts.products.find(ctx, id);
    if (product === undefined) throw catalogErrors.PRODUCT_NOT_FOUND({ id });
    return parts.answers.messageOf(product, currency);
  });
};
