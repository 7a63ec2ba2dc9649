import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { CreateProductRequest } from '@souk/contracts/catalog/v1/catalog';
import { ProductCreatedSchema } from '@souk/contracts/catalog/v1/events';
import type { Context } from '@souk/kernel';
import { productMessage } from '../api/messages.ts';
import { checkText, type Product, timeOfId, toPrices } from '../domain/product.ts';
import { titleOf } from '../domain/text.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';

/** Adds a product, and its category when there is none of that slug. */
export const createProduct = (parts: CatalogParts) => async (ctx: Context, request: CreateProductRequest) => {
  const { category, prices, price } = request;
  const id = parts.runtime.ids.next('prd');
  const at = timeOfId(id);
  const product: Product = {
    ...checkText(request),
    id,
    categoryName: titleOf(category),
    prices: toPrices(price === undefined ? prices : [...prices, price]),
    status: 'active',
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
  await parts.db.tx(ctx, async (tx) => {
    if ((await parts.products.insert(tx, [product])) === 0) throw catalogErrors.SKU_TAKEN();
    await parts.events.publish(tx, ProductCreatedSchema, {
      productId: id,
      name: product.name,
      category,
      version: 1,
      at: timestampFromDate(at),
    });
    tx.afterCommit(parts.changes.made);
  });
  // The category may have existed, under a name of its own.
  return productMessage((await parts.products.find(ctx, id)) ?? product, price?.currency ?? '');
};
