import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  CreateProductRequestSchema,
  DeleteProductRequestSchema,
  GetProductRequestSchema,
  ImportProductsRequestSchema,
  ListCategoriesRequestSchema,
  ListProductsRequestSchema,
  PriceItemsRequestSchema,
  UpdateProductRequestSchema,
} from '@souk/contracts/catalog/v1/catalog';
import type { Publisher } from '@souk/messaging';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import type { CatalogDeps } from '../src/deps.ts';
import { type CatalogParts, createParts } from '../src/parts.ts';
import { catalogMigrations } from '../src/store/migrations.ts';
import { createProduct } from '../src/usecases/create-product.ts';
import { deleteProduct } from '../src/usecases/delete-product.ts';
import { getProduct } from '../src/usecases/get-product.ts';
import { importProducts } from '../src/usecases/import-products.ts';
import { listCategories } from '../src/usecases/list-categories.ts';
import { listProducts } from '../src/usecases/list-products.ts';
import { priceItems } from '../src/usecases/price-items.ts';
import { updateProduct } from '../src/usecases/update-product.ts';

export interface SaidEvent {
  readonly type: string;
  readonly event: Readonly<Record<string, unknown>>;
}

/** A catalog on a database of its own, whose handlers are called as the router would call them. */
export async function catalogWorld() {
  const database: TestDatabase = await testDatabase('catalog', [catalogMigrations]);
  const said: SaidEvent[] = [];
  const events: Publisher = {
    publish: async (tx, schema, event) => {
      tx.afterCommit(() => said.push({ type: schema.typeName, event: event as Record<string, unknown> }));
    },
  };
  const settings = {
    countsTtl: 30_000,
    countsKept: 100_000,
    changesSeenWithin: 2_000,
    productsKept: 100,
    pagesKept: 100,
  };
  const deps = { db: database.db, runtime: database.runtime, events, settings } as unknown as CatalogDeps;
  const parts: CatalogParts = createParts(deps);
  const { ctx } = database;
  return {
    parts,
    ctx,
    said,
    close: () => database.close(),
    list: (init: MessageInitShape<typeof ListProductsRequestSchema> = {}) =>
      listProducts(parts)(ctx, create(ListProductsRequestSchema, init)),
    get: (init: MessageInitShape<typeof GetProductRequestSchema>) =>
      getProduct(parts)(ctx, create(GetProductRequestSchema, init)),
    create: (init: MessageInitShape<typeof CreateProductRequestSchema>) =>
      createProduct(parts)(ctx, create(CreateProductRequestSchema, init)),
    update: (init: MessageInitShape<typeof UpdateProductRequestSchema>) =>
      updateProduct(parts)(ctx, create(UpdateProductRequestSchema, init)),
    remove: (init: MessageInitShape<typeof DeleteProductRequestSchema>) =>
      deleteProduct(parts)(ctx, create(DeleteProductRequestSchema, init)),
    categories: (init: MessageInitShape<typeof ListCategoriesRequestSchema> = {}) =>
      listCategories(parts)(ctx, create(ListCategoriesRequestSchema, init)),
    price: (init: MessageInitShape<typeof PriceItemsRequestSchema>) =>
      priceItems(parts)(ctx, create(PriceItemsRequestSchema, init)),
    import: (init: MessageInitShape<typeof ImportProductsRequestSchema>) =>
      importProducts(parts)(ctx, create(ImportProductsRequestSchema, init)),
  };
}

export type CatalogWorld = Awaited<ReturnType<typeof catalogWorld>>;
