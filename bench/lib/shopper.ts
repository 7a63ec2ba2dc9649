import type { Draw } from './draw.ts';
import type { ProductList, Range, ShownProduct } from './range.ts';

export interface SearchRequest {
  readonly query: string;
  readonly category: string;
  readonly minPrice: number;
  /** 0 for no bound. */
  readonly maxPrice: number;
  readonly sort: string;
}

export const PAGE_SIZE = 20;
const SORTS = ['relevance', 'price_asc', 'price_desc', 'name', 'newest'];
const SHARE = { words: 0.7, secondWord: 0.3, category: 0.4, price: 0.3 };
/** Bounds that people choose: those that a shop offers. */
const OFFERED = [2_500, 5_000, 10_000, 25_000, 1_000, 50_000, 100_000];

/** Makes up searches. With `fresh` no two of them are the same, and price bounds are any amount instead of those that a shop offers. */
export function createSearches(range: Range, next: () => number, draw: Draw, fresh: boolean): () => SearchRequest {
  const made = new Set<string>();
  const chance = (share: number): boolean => next() < share;
  const bounds = (): [number, number] => {
    const pair = fresh ? [next() * 20_000, next() * 100_000] : [draw(OFFERED), draw(OFFERED)];
    const [low, high] = pair.map(Math.floor).sort((a, b) => a - b) as [number, number];
    return low === high ? [0, high] : [low, high];
  };
  const make = (): SearchRequest => {
    const query = chance(SHARE.words)
      ? `${draw(range.words)}${chance(SHARE.secondWord) ? ` ${draw(range.words)}` : ''}`
      : '';
    const category = chance(SHARE.category) ? draw(range.categories) : '';
    const [minPrice, maxPrice] = chance(SHARE.price) ? bounds() : [0, 0];
    return { query, category, minPrice, maxPrice, sort: SORTS[Math.floor(next() * SORTS.length)] as string };
  };
  return () => {
    for (;;) {
      const search = make();
      if (!fresh) return search;
      const key = pathOf(search);
      if (made.has(key)) continue;
      made.add(key);
      return search;
    }
  };
}

export function pathOf({ query, category, minPrice, maxPrice, sort }: SearchRequest): string {
  const given = new URLSearchParams({ page_size: String(PAGE_SIZE), sort });
  if (query !== '') given.set('query', query);
  if (category !== '') given.set('category', category);
  if (minPrice > 0) given.set('min_price', String(minPrice));
  if (maxPrice > 0) given.set('max_price', String(maxPrice));
  return `/api/v1/products?${given}`;
}

/** @throws Error when a product of the answer is none that was searched for, or in the wrong place */
export function checkAnswer(search: SearchRequest, { products }: ProductList): void {
  const doubt = (what: string): Error => new Error(`${pathOf(search)}: ${what}`);
  if (!Array.isArray(products) || products.length > PAGE_SIZE) throw doubt('not a page of products');
  const wrong = products.find((product) => !fits(search, product));
  if (wrong !== undefined) throw doubt(`${wrong.id} passes no such filter`);
  const keys = products.map((product) => keyOf(search.sort, product));
  if (keys.some((key, i) => i > 0 && key < (keys[i - 1] as number | string))) throw doubt('wrong order');
}

/** Compares a search without words with one that looks at every product. @throws Error when they differ */
export function checkByHand(range: Range, search: SearchRequest, answer: ProductList): void {
  const expected = range.products.filter((product) => fits(search, product));
  if (answer.totalEstimate !== expected.length)
    throw new Error(`${pathOf(search)}: ${answer.totalEstimate} found, ${expected.length} there`);
  const first = expected.map((product) => keyOf(search.sort, product)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const found = answer.products.map((product) => keyOf(search.sort, product));
  if (found.length !== Math.min(PAGE_SIZE, expected.length) || found.some((key, i) => key !== first[i]))
    throw new Error(`${pathOf(search)}: not the first products in this order`);
}

const fits = ({ category, minPrice, maxPrice }: SearchRequest, product: ShownProduct): boolean =>
  (category === '' || product.category === category) &&
  priceOf(product) >= minPrice &&
  (maxPrice === 0 || priceOf(product) <= maxPrice);

const priceOf = ({ price }: ShownProduct): number => Number(price?.minorUnits ?? Number.NaN);

/** What must not decrease along a list; ids grow with time. */
function keyOf(sort: string, product: ShownProduct): number | string {
  if (sort === 'price_asc') return priceOf(product);
  if (sort === 'price_desc') return -priceOf(product);
  if (sort === 'newest') return -Number.parseInt(product.id.slice(4, 17).replace('-', ''), 16);
  // The order of names is the shop's own, by letters without case and accents; relevance shows in the words only.
  return 0;
}
