import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Product_Status, type UpdateProductRequest } from '@souk/contracts/catalog/v1/catalog';
import { ProductUpdatedSchema } from '@souk/contracts/catalog/v1/events';
import type { Context } from '@souk/kernel';
import { productMessage, statusMessage } from '../api/messages.ts';
import { changed, checkVersion, type Product, type ProductChange, toPrices } from '../domain/product.ts';
import { titleOf } from '../domain/text.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';
import { refuseTakenSku } from '../store/taken-sku.ts';

/**
 * Changes what is sent. A repeated request finds nothing left to change and is answered like the first, even with the version that the
 * first one was made for.
 */
export const updateProduct = (parts: CatalogParts) => async (ctx: Context, request: UpdateProductRequest) => {
  const change = toChange(request);
  const product = await refuseTakenSku(
    parts.db.tx(ctx, async (tx): Promise<Product> => {
      const current = await parts.products.lock(tx, request.id);
      if (current === undefined) throw catalogErrors.PRODUCT_NOT_FOUND({ id: request.id });
      const next = changed(current, change);
      if (next === current) return current;
      checkVersion(current, request.etag);
      const updatedAt = new Date(parts.runtime.clock.now());
      const moved = next.category !== current.category;
      const written = { ...next, updatedAt, categoryName: moved ? titleOf(next.category) : next.categoryName };
      await parts.products.update(tx, written);
      await parts.events.publish(tx, ProductUpdatedSchema, {
        productId: next.id,
        name: next.name,
        category: next.category,
        status: statusMessage(next.status),
        version: next.version,
        at: timestampFromDate(updatedAt),
      });
      tx.afterCommit(parts.changes.made);
      return moved ? ((await parts.products.lock(tx, next.id)) ?? written) : written;
    }),
  );
  return productMessage(product, request.price?.currency ?? '');
};

const STATUS = {
  [Product_Status.STATUS_UNSPECIFIED]: undefined,
  [Product_Status.ACTIVE]: 'active',
  [Product_Status.ARCHIVED]: 'archived',
} as const;

function toChange(request: UpdateProductRequest): ProductChange {
  const { name, description, category, sku, attributes, prices, price, status } = request;
  return {
    text: {
      ...(name !== '' && { name }),
      ...(description !== undefined && { description }),
      ...(category !== '' && { category }),
      ...(sku !== '' && { sku }),
      ...(Object.keys(attributes).length > 0 && { attributes }),
    },
    prices: prices.length > 0 ? toPrices(prices) : undefined,
    price: price && toPrices([price]),
    status: STATUS[status],
  };
}
