import type { Prices } from '../domain/money.ts';
import type { Product } from '../domain/product.ts';

/** A product as {@link PRODUCT_COLUMNS} bring it. */
export interface ProductRow {
  readonly id: string;
  readonly sku: string | null;
  readonly name: string;
  readonly name_key: string;
  readonly description: string;
  readonly category: string;
  readonly category_name: string;
  /** Below 10^12, so that a JSON number is exact. */
  readonly prices: Readonly<Record<string, number>>;
  readonly attributes: Readonly<Record<string, string>>;
  readonly status: Product['status'];
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Of a table named `p`. */
export const PRODUCT_COLUMNS = `p.id, p.sku, p.name, p.name_key, p.description, p.category, p.category_name,
  p.prices, p.attributes, p.status, p.version, p.created_at, p.updated_at`;

export const toProduct = (row: ProductRow): Product => ({
  id: row.id,
  sku: row.sku ?? '',
  name: row.name,
  description: row.description,
  category: row.category,
  categoryName: row.category_name,
  prices: fromJson(row.prices),
  attributes: row.attributes,
  status: row.status,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

const fromJson = (prices: ProductRow['prices']): Prices =>
  Object.fromEntries(Object.entries(prices).map(([currency, minorUnits]) => [currency, BigInt(minorUnits)]));

export const pricesToJson = (prices: Prices): string =>
  JSON.stringify(Object.fromEntries(Object.entries(prices).map(([currency, units]) => [currency, Number(units)])));
