import type { ImportProductsRequest, ProductImport } from '@souk/contracts/catalog/v1/catalog';
import { type Context, isId } from '@souk/kernel';
import { checkText, type Product, timeOfId, toPrices } from '../domain/product.ts';
import { titleOf } from '../domain/text.ts';
import { catalogErrors } from '../errors.ts';
import type { CatalogParts } from '../parts.ts';

/**
 * Adds many products in one statement, and says nothing on the bus: whoever imports a range tells those who need to know. Products
 * whose id or number is taken are left out, so an import can be repeated.
 */
export const importProducts = (parts: CatalogParts) => async (ctx: Context, request: ImportProductsRequest) => {
  const products = request.products.map(toProduct);
  const imported = await parts.products.insert(parts.db.at(ctx), products);
  if (imported > 0) {
    parts.changes.made();
    await parts.statistics.grown(ctx, imported);
  }
  return { imported, skipped: products.length - imported };
};

function toProduct(given: ProductImport): Product {
  if (!isId(given.id, 'prd')) throw catalogErrors.ID_REFUSED();
  const at = timeOfId(given.id);
  return {
    ...checkText(given),
    id: given.id,
    categoryName: given.categoryName || titleOf(given.category),
    prices: toPrices(given.prices),
    status: 'active',
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
}
