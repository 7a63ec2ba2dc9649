import { HIGHEST_PRICE } from './money.ts';
import { priceBounds } from './price-ranges.ts';
import type { Filter } from './search.ts';

/** Products of one category that match the words of a search. */
export interface MatchGroup {
  readonly category: string;
  readonly categoryName: string;
  /** All words are in the name. */
  readonly inName: boolean;
  /** One per product, in the currency of the search; empty where there is none. */
  readonly prices: readonly string[];
}

export interface CategoryCount {
  readonly category: string;
  readonly name: string;
  readonly count: number;
}

export interface PriceRangeCount {
  readonly minPrice: bigint;
  /** 0 means no bound. */
  readonly maxPrice: bigint;
  readonly count: number;
}

export interface Counts {
  /** Products that match words and filter. */
  readonly total: number;
  /** Of these, how many have all words in the name. */
  readonly inName: number;
  /** Counted without the filter's category; most products first. */
  readonly categories: readonly CategoryCount[];
  /** Counted without the filter's price bounds; cheapest first. */
  readonly priceRanges: readonly PriceRangeCount[];
}

/** Everything that matches the words of a search, packed for counting under any filter. */
export interface Matches {
  /** The words as the database understands them; empty without words. */
  readonly tsquery: string;
  /** Products that match the words. */
  readonly size: number;
  /** Of these, how many have all words in the name. */
  readonly inName: number;
  count(filter: Filter): Counts;
}

const NO_PRICE = -1;

/** Filters whose counts are kept; a search rarely has more that are asked for again. */
const MOST_KEPT = 64;

export function packMatches(tsquery: string, currency: string, groups: readonly MatchGroup[]): Matches {
  const slugs = [...new Set(groups.map(({ category }) => category))];
  const names = new Map(groups.map(({ category, categoryName }) => [category, categoryName]));
  const size = groups.reduce((sum, { prices }) => sum + prices.length, 0);
  const slugOf = new Uint16Array(size);
  const inNameOf = new Uint8Array(size);
  const priceOf = new Float64Array(size);
  let at = 0;
  for (const { category, inName, prices } of groups) {
    const slug = slugs.indexOf(category);
    for (const price of prices) {
      slugOf[at] = slug;
      inNameOf[at] = inName ? 1 : 0;
      priceOf[at] = price === '' ? NO_PRICE : Number(price);
      at++;
    }
  }
  const bounds = priceBounds(currency);
  const kept = new Map<string, Counts>();

  const countNow = (filter: Filter): Counts => {
    const wanted = slugs.indexOf(filter.category);
    const lowest = filter.priced ? Number(filter.minPrice) : NO_PRICE;
    const highest = Number(filter.maxPrice ?? HIGHEST_PRICE);
    const perSlug = new Uint32Array(slugs.length);
    const perRange = new Uint32Array(bounds.length);
    let total = 0;
    let inName = 0;
    for (let i = 0; i < size; i++) {
      const slug = slugOf[i] as number;
      const price = priceOf[i] as number;
      const ofCategory = filter.category === '' || slug === wanted;
      const ofPrice = price >= lowest && price <= highest;
      if (ofPrice) perSlug[slug] = (perSlug[slug] as number) + 1;
      if (ofCategory && price !== NO_PRICE) {
        const range = rangeOf(bounds, price);
        perRange[range] = (perRange[range] as number) + 1;
      }
      if (ofCategory && ofPrice) {
        total++;
        inName += inNameOf[i] as number;
      }
    }
    const categories = slugs.map((category, i) => ({
      category,
      name: names.get(category) ?? category,
      count: perSlug[i] as number,
    }));
    const priceRanges = bounds.map((bound, i) => ({
      minPrice: BigInt(bound),
      maxPrice: BigInt((bounds[i + 1] ?? 1) - 1),
      count: perRange[i] as number,
    }));
    return {
      total,
      inName,
      categories: categories.filter(({ count }) => count > 0).sort(byCount),
      priceRanges: priceRanges.filter(({ count }) => count > 0),
    };
  };

  return {
    tsquery,
    size,
    inName: inNameOf.reduce((sum, one) => sum + one, 0),
    count: (filter) => {
      const key = `${filter.category} ${filter.minPrice} ${filter.maxPrice} ${filter.priced}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const counts = countNow(filter);
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(key, counts);
      return counts;
    },
  };
}

/** The last range that begins at or below the price. */
function rangeOf(bounds: readonly number[], price: number): number {
  let range = bounds.length - 1;
  while (range > 0 && price < (bounds[range] as number)) range--;
  return range;
}

const byCount = (a: CategoryCount, b: CategoryCount): number => b.count - a.count || (a.category < b.category ? -1 : 1);
