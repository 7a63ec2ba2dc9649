import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { DeleteProductRequest } from '@souk/contracts/catalog/v1/catalog';
import { ProductDeletedSchema } from '@souk/contracts/catalog/v1/events';
import type { Context } from '@souk/kernel';
import { changed, checkVersion } from '../domain/product.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';

/** Archives a product. One that is archived already stays as it is. */
export const deleteProduct = (parts: CatalogParts) => async (ctx: Context, request: DeleteProductRequest) => {
  await parts.db.tx(ctx, async (tx) => {
    const current = await parts.products.lock(tx, request.id);
    if (current === undefined) throw catalogErrors.PRODUCT_NOT_FOUND({ id: request.id });
    const next = changed(current, { text: {}, status: 'archived' });
    if (next === current) return;
    checkVersion(current, request.etag);
    const updatedAt = new Date(parts.runtime.clock.now());
    await parts.products.update(tx, { ...next, updatedAt });
    await parts.events.publish(tx, ProductDeletedSchema, {
      productId: next.id,
      version: next.version,
      at: timestampFromDate(updatedAt),
    });
    tx.afterCommit(parts.changes.made);
  });
  return {};
};
