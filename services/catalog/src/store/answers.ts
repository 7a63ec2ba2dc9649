import { create } from '@bufbuild/protobuf';
import {
  type ListCategoriesResponse,
  type ListProductsResponse,
  type Product as ProductMessage,
  ProductSchema,
} from '@souk/contracts/catalog/v1/catalog';
import type { Clock } from '@souk/kernel';
import { productMessage } from '../api/messages.ts';
import type { Product } from '../domain/product.ts';
import { createExpiringCache, type ExpiringCache } from './expiring-cache.ts';

/** What was answered before and is still true. Answers are frozen, because the same object is given to many. */
export interface Answers {
  readonly pages: ExpiringCache<Page>;
  readonly products: ExpiringCache<ProductMessage>;
  readonly categories: ExpiringCache<ListCategoriesResponse>;
  /** The message of a product as it was just read: pages share that of a product whose version is the same. */
  messageOf(product: Product, currency: string): ProductMessage;
  /** Products changed. */
  forget(): void;
}

export interface Page {
  readonly response: ListProductsResponse;
  /** When its counts are counted anew, in milliseconds of the monotonic clock. */
  readonly expiresMs: number;
}

const MOST_CATEGORY_PAGES = 100;

export interface AnswersInit {
  readonly clock: Clock;
  readonly pagesKept: number;
  readonly productsKept: number;
}

export function createAnswers({ clock, pagesKept, productsKept }: AnswersInit): Answers {
  const messages = new Map<string, ProductMessage>();
  const forever = () => Number.POSITIVE_INFINITY;
  const pages = createExpiringCache<Page>({
    clock,
    capacity: pagesKept,
    weightOf: () => 1,
    ttlMsOf: ({ expiresMs }) => expiresMs - clock.monotonicMs(),
  });
  const products = createExpiringCache<ProductMessage>({
    clock,
    capacity: productsKept,
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
    messageOf: (product, currency) => {
      const key = `${product.id} ${currency}`;
      const known = messages.get(key);
      const message =
        known?.version === product.version ? known : frozen(create(ProductSchema, productMessage(product, currency)));
      messages.delete(key);
      messages.set(key, message);
      if (messages.size > productsKept) messages.delete(messages.keys().next().value as string);
      return message;
    },
    forget: () => {
      for (const cache of [pages, products, categories]) cache.invalidate();
      messages.clear();
    },
  };
}

/** Freezes a message and all that is in it. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
