import { priceBounds } from '../src/domain/price-ranges.ts';
import { nameKey } from '../src/domain/text.ts';

export interface NaiveProduct {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly prices: Readonly<Record<string, number>>;
  readonly attributes: Readonly<Record<string, string>>;
  readonly active: boolean;
}

export interface NaiveSearch {
  readonly query: string;
  readonly category: string;
  readonly minPrice: number;
  readonly maxPrice: number;
  readonly currency: string;
  readonly sort: string;
}

const tokens = (text: string): string[] => text.toLowerCase().split(/[^a-z]+/);

/** The last word may be the beginning of a longer one. */
const hasAll = (text: string, query: string): boolean => {
  const words = query.split(' ');
  const found = tokens(text);
  return words.every((word, i) =>
    found.some((token) => (i === words.length - 1 ? token.startsWith(word) : token === word)),
  );
};

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const everything = (product: NaiveProduct): string =>
  [product.name, product.category, product.description, ...Object.values(product.attributes)].join(' ');

/** What a search means, in the plainest way: filter all, sort all. */
export function naiveSearch(all: readonly NaiveProduct[], search: NaiveSearch) {
  const sort =
    search.sort === '' || search.sort === 'relevance' ? (search.query === '' ? 'name' : 'relevance') : search.sort;
  const priced = search.minPrice > 0 || search.maxPrice > 0 || sort.startsWith('price');
  const price = (product: NaiveProduct): number => product.prices[search.currency] ?? -1;
  const inWords = all.filter((p) => p.active && (search.query === '' || hasAll(everything(p), search.query)));
  const inCategory = (p: NaiveProduct) => search.category === '' || p.category === search.category;
  const inPrice = (p: NaiveProduct) =>
    !priced || (price(p) >= 0 && price(p) >= search.minPrice && (search.maxPrice === 0 || price(p) <= search.maxPrice));
  const tier = (p: NaiveProduct) => (hasAll(p.name, search.query) ? 0 : 1);
  const orders: Record<string, (a: NaiveProduct, b: NaiveProduct) => number> = {
    name: (a, b) => byCodePoint(nameKey(a.name), nameKey(b.name)) || byCodePoint(a.id, b.id),
    newest: (a, b) => byCodePoint(b.id, a.id),
    price_asc: (a, b) => price(a) - price(b) || byCodePoint(a.id, b.id),
    price_desc: (a, b) => price(b) - price(a) || byCodePoint(b.id, a.id),
    relevance: (a, b) => tier(a) - tier(b) || byCodePoint(b.id, a.id),
  };
  const found = inWords.filter((p) => inCategory(p) && inPrice(p)).sort(orders[sort]);
  const bounds = priceBounds(search.currency);
  const rangeCounts = bounds.map((min, i) => ({
    min,
    count: inWords.filter(
      (p) => inCategory(p) && price(p) >= min && price(p) < (bounds[i + 1] ?? Number.POSITIVE_INFINITY),
    ).length,
  }));
  const categories = new Map<string, number>();
  for (const p of inWords.filter(inPrice)) categories.set(p.category, (categories.get(p.category) ?? 0) + 1);
  return {
    ids: found.map(({ id }) => id),
    categories: [...categories].sort(([a, m], [b, n]) => n - m || byCodePoint(a, b)),
    ranges: rangeCounts.filter(({ count }) => count > 0),
  };
}
