import { create } from '@bufbuild/protobuf';
import { type GetProductRequest, ProductSchema } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { productMessage } from '../api/messages.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';
import { frozen } from '../store/answers.ts';

/** One product, archived or not. */
export const getProduct = (parts: CatalogParts) => async (ctx: Context, request: GetProductRequest) => {
  const { id, currency } = request;
  await parts.changes.see(ctx);
  return parts.answers.products.get(`${id} ${currency}`, async () => {
    const product = await parts.products.find(ctx, id);
    if (product === undefined) throw catalogErrors.PRODUCT_NOT_FOUND({ id });
    return frozen(create(ProductSchema, productMessage(product, currency)));
  });
};
