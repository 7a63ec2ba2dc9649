import type { ListCategoriesResponse, ListProductsResponse, Product } from '@souk/contracts/catalog/v1/catalog';
import type { Clock } from '@souk/kernel';
import { createExpiringCache, type ExpiringCache } from './expiring-cache.ts';

/** What was answered before and is still true. Answers are frozen, because the same object is given to many. */
export interface Answers {
  readonly pages: ExpiringCache<Page>;
  readonly products: ExpiringCache<Product>;
  readonly categories: ExpiringCache<ListCategoriesResponse>;
  /** Products changed. */
  forget(): void;
}

export interface Page {
  readonly response: ListProductsResponse;
  /** When its counts are counted anew, in milliseconds of the monotonic clock. */
  readonly expiresMs: number;
}

/** What a page weighs beyond its products, in products. */
const PAGE_WEIGHT = 3;
const MOST_CATEGORY_PAGES = 100;

/** @param capacity Products remembered, alone or on pages. */
export function createAnswers(clock: Clock, capacity: number): Answers {
  const forever = () => Number.POSITIVE_INFINITY;
  const pages = createExpiringCache<Page>({
    clock,
    capacity: capacity / 2,
    weightOf: ({ response }) => response.products.length + PAGE_WEIGHT,
    ttlMsOf: ({ expiresMs }) => expiresMs - clock.monotonicMs(),
  });
  const products = createExpiringCache<Product>({
    clock,
    capacity: capacity / 2,
    weightOf: () => 1,
    ttlMsOf: forever,
  });
  const categories = createExpiringCache<ListCategoriesResponse>({
    clock,
    capacity: MOST_CATEGORY_PAGES,
    weightOf: () => 1,
    ttlMsOf: forever,
  });
  return {
    pages,
    products,
    categories,
    forget: () => {
      for (const cache of [pages, products, categories]) cache.invalidate();
    },
  };
}

/** Freezes a message and all that is in it. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
