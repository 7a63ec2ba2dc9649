import { catalogErrors } from '../errors.ts';
import { HIGHEST_PRICE, type Money, type Prices } from './money.ts';
import { cleanText } from './text.ts';

/** What the shop sells. */
export interface Product {
  readonly id: string;
  /** The shop's own number; empty when it has none. */
  readonly sku: string;
  readonly name: string;
  readonly description: string;
  /** Slug. */
  readonly category: string;
  readonly categoryName: string;
  readonly prices: Prices;
  readonly attributes: Readonly<Record<string, string>>;
  readonly status: 'active' | 'archived';
  /** Counts the changes, from 1. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What people write about a product. */
export type ProductText = Pick<Product, 'sku' | 'name' | 'description' | 'category' | 'attributes'>;

/** @throws CATALOG_TEXT_REFUSED or CATALOG_NAME_MISSING */
export function checkText(text: ProductText): ProductText {
  const name = cleanText('name', text.name);
  if (name === '') throw catalogErrors.NAME_MISSING();
  const attributes = Object.entries(text.attributes).map(([key, value]) => [
    cleanText('attributes', key),
    cleanText('attributes', value),
  ]);
  return {
    name,
    sku: cleanText('sku', text.sku),
    description: cleanText('description', text.description),
    category: text.category,
    attributes: Object.fromEntries(attributes),
  };
}

/** @throws CATALOG_PRICE_MISSING, CATALOG_PRICE_REFUSED or CATALOG_PRICE_REPEATED */
export function toPrices(list: readonly Money[]): Prices {
  if (list.length === 0) throw catalogErrors.PRICE_MISSING();
  const prices = new Map<string, bigint>();
  for (const { currency, minorUnits } of list) {
    if (minorUnits < 0n || minorUnits > HIGHEST_PRICE) throw catalogErrors.PRICE_REFUSED({ currency });
    if (prices.has(currency)) throw catalogErrors.PRICE_REPEATED({ currency });
    prices.set(currency, minorUnits);
  }
  return Object.fromEntries(prices);
}

export interface ProductChange {
  readonly text: Partial<ProductText>;
  /** In place of all prices. */
  readonly prices?: Prices | undefined;
  /** In place of the price in its currency. */
  readonly price?: Prices | undefined;
  readonly status?: Product['status'] | undefined;
}

/** The product after a change; the same object when nothing differs, so that a repeated request changes nothing more. */
export function changed(product: Product, change: ProductChange): Product {
  const next: Product = {
    ...product,
    ...checkText({ ...product, ...change.text }),
    prices: { ...(change.prices ?? product.prices), ...change.price },
    status: change.status ?? product.status,
  };
  return sameContent(product, next) ? product : { ...next, version: product.version + 1 };
}

const sameContent = (a: Product, b: Product): boolean =>
  a.name === b.name &&
  a.sku === b.sku &&
  a.description === b.description &&
  a.category === b.category &&
  a.status === b.status &&
  sameRecord(a.prices, b.prices) &&
  sameRecord(a.attributes, b.attributes);

function sameRecord<T>(a: Readonly<Record<string, T>>, b: Readonly<Record<string, T>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

/**
 * Compares the version a client has seen (`"3"`, `3`, `W/"3"`; `*` or empty for any) with the current one.
 * @throws CATALOG_ETAG_MALFORMED or CATALOG_VERSION_MISMATCH
 */
export function checkVersion(product: Product, etag: string): void {
  if (etag === '' || etag === '*') return;
  const seen = /^(?:W\/)?"?(\d{1,9})"?$/.exec(etag.trim())?.[1];
  if (seen === undefined) throw catalogErrors.ETAG_MALFORMED();
  if (Number(seen) !== product.version)
    throw catalogErrors.VERSION_MISMATCH({ id: product.id, current: product.version });
}

/** When a UUIDv7 behind a prefix was made. */
export const timeOfId = (id: string): Date =>
  new Date(
    Number.parseInt(
      id
        .slice(id.indexOf('_') + 1)
        .replace('-', '')
        .slice(0, 12),
      16,
    ),
  );
