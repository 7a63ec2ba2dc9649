import { get } from './buyer.ts';
import type { LoadClient } from './load.ts';

/** A product as the shop shows it. */
export interface ShownProduct {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly version: number;
  readonly price?: { readonly currency: string; readonly minorUnits: string };
}

export interface ProductList {
  readonly products: readonly ShownProduct[];
  readonly nextPageToken: string;
  readonly totalEstimate: number;
}

/** What a shop sells, as one learns it by leafing through all of it. */
export interface Range {
  readonly products: readonly ShownProduct[];
  /** Slugs, the largest category first. */
  readonly categories: readonly string[];
  /** Words of product names, the most common first. */
  readonly words: readonly string[];
}

const PAGE = 100;
const READERS = 8;

export async function readRange(client: LoadClient): Promise<Range> {
  const { categories } = await get<{ categories: { slug: string; productCount: number }[] }>(
    client,
    '/api/v1/categories?page_size=500',
  );
  const left = categories.toSorted((a, b) => b.productCount - a.productCount);
  const slugs = left.map(({ slug }) => slug);
  const products: ShownProduct[] = [];
  const leaf = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      let token = '';
      do {
        const query = new URLSearchParams({
          category: next.slug,
          sort: 'newest',
          page_size: String(PAGE),
          page_token: token,
        });
        const page = await get<ProductList>(client, `/api/v1/products?${query}`);
        // Copies of what is needed only: the rest would fill the memory of the load generator.
        for (const { id, name, category, version, price } of page.products)
          products.push({ id, name, category, version, ...(price && { price }) });
        token = page.nextPageToken;
      } while (token !== '');
    }
  };
  await Promise.all(Array.from({ length: READERS }, leaf));
  return { products, categories: slugs, words: wordsOf(products) };
}

function wordsOf(products: readonly ShownProduct[]): string[] {
  const counts = new Map<string, number>();
  for (const { name } of products)
    for (const word of new Set(name.toLowerCase().match(/[\p{L}\p{M}]{3,}/gu)))
      counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([word]) => word);
}
