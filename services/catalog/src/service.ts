import { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import { ProductCreatedSchema, ProductDeletedSchema, ProductUpdatedSchema } from '@souk/contracts/catalog/v1/events';
import { defineService } from '@souk/service';
import { catalogSettings } from './config.ts';
import { calls } from './deps.ts';
import { createParts } from './parts.ts';
import { catalogMigrations } from './store/migrations.ts';
import { createProduct } from './usecases/create-product.ts';
import { deleteProduct } from './usecases/delete-product.ts';
import { getProduct } from './usecases/get-product.ts';
import { importProducts } from './usecases/import-products.ts';
import { listCategories } from './usecases/list-categories.ts';
import { listProducts } from './usecases/list-products.ts';
import { priceItems } from './usecases/price-items.ts';
import { updateProduct } from './usecases/update-product.ts';

/** What the shop sells, at which price, and how customers find it. */
export const catalog = defineService({
  name: 'catalog',
  serves: [CatalogService],
  calls,
  publishes: [ProductCreatedSchema, ProductUpdatedSchema, ProductDeletedSchema],
  settings: catalogSettings,
  migrations: catalogMigrations,
  start: (deps) => {
    const parts = createParts(deps);
    return {
      listProducts: listProducts(parts),
      getProduct: getProduct(parts),
      createProduct: createProduct(parts),
      updateProduct: updateProduct(parts),
      deleteProduct: deleteProduct(parts),
      listCategories: listCategories(parts),
      priceItems: priceItems(parts),
      importProducts: importProducts(parts),
    };
  },
});
