import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Facets, FacetsSchema, Product_Status, type ProductSchema } from '@souk/contracts/catalog/v1/catalog';
import type { CategoryCount, Counts } from '../domain/matches.ts';
import { DEFAULT_CURRENCY, priceIn } from '../domain/money.ts';
import type { Product } from '../domain/product.ts';

const STATUS = { active: Product_Status.ACTIVE, archived: Product_Status.ARCHIVED } as const;

export const statusMessage = (status: Product['status']): Product_Status => STATUS[status];

export function productMessage(product: Product, currency: string): MessageInitShape<typeof ProductSchema> {
  const price = priceIn(product.prices, currency || DEFAULT_CURRENCY);
  return {
    id: product.id,
    sku: product.sku,
    name: product.name,
    description: product.description,
    category: product.category,
    categoryName: product.categoryName,
    ...(price && { price }),
    prices: Object.entries(product.prices).map(([code, minorUnits]) => ({ currency: code, minorUnits })),
    attributes: product.attributes,
    status: STATUS[product.status],
    createdAt: timestampFromDate(product.createdAt),
    updatedAt: timestampFromDate(product.updatedAt),
    version: product.version,
  };
}

/** Categories that a client is shown; more would not help to narrow a search. */
const MOST_CATEGORIES = 20;

export const facetsMessage = (counts: Counts, category: string, currency: string): Facets =>
  create(FacetsSchema, {
    categories: largest(counts.categories, category),
    priceRanges: counts.priceRanges.map((range) => ({ ...range, currency })),
  });

/** The largest ones, and always the chosen one. */
function largest(categories: readonly CategoryCount[], chosen: string): CategoryCount[] {
  const shown = categories.slice(0, MOST_CATEGORIES);
  const missing = categories.slice(MOST_CATEGORIES).filter(({ category }) => category === chosen);
  return [...shown, ...missing];
}
