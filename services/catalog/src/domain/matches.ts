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

/** What matches the words of a search, packed for counting under any filter. */
export interface Matches {
  /** The words as the database understands them; empty without words. */
  readonly tsquery: string;
  /** Products that match the words. */
  readonly size: number;
  /** Of these, how many have all words in the name. */
  readonly inName: number;
  /** There are so many that only some were looked at: all numbers are estimates. */
  readonly sampled: boolean;
  count(filter: Filter): Counts;
}

export interface FoundMatches {
  readonly tsquery: string;
  readonly currency: string;
  readonly groups: readonly MatchGroup[];
  readonly sampled: boolean;
  /** How many products each one in `groups` stands for. */
  readonly scale: number;
}

/** Products of one category: how many there are, and the prices of those that have one, cheapest first. */
interface Pack {
  readonly category: string;
  readonly name: string;
  readonly inName: boolean;
  readonly size: number;
  readonly prices: Float64Array;
}

/** Filters whose counts are kept; a search rarely has more that are asked for again. */
const MOST_KEPT = 64;

export function packMatches({ tsquery, currency, groups, sampled, scale }: FoundMatches): Matches {
  const packs = groups.map(toPack);
  const bounds = priceBounds(currency);
  const kept = new Map<string, Counts>();
  return {
    tsquery,
    size: Math.round(sizeOf(packs) * scale),
    inName: Math.round(sizeOf(packs.filter(({ inName }) => inName)) * scale),
    sampled,
    count: (filter) => {
      const key = `${filter.category} ${filter.minPrice} ${filter.maxPrice} ${filter.priced}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const counts = scaled(countPacks(packs, bounds, filter), scale);
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(key, counts);
      return counts;
    },
  };
}

function scaled(counts: Counts, scale: number): Counts {
  if (scale === 1) return counts;
  const many = (count: number): number => Math.round(count * scale);
  return {
    total: many(counts.total),
    inName: many(counts.inName),
    categories: counts.categories.map((entry) => ({ ...entry, count: many(entry.count) })),
    priceRanges: counts.priceRanges.map((entry) => ({ ...entry, count: many(entry.count) })),
  };
}

const toPack = ({ category, categoryName, inName, prices }: MatchGroup): Pack => ({
  category,
  name: categoryName,
  inName,
  size: prices.length,
  prices: Float64Array.from(
    prices.filter((price) => price !== ''),
    Number,
  ).sort(),
});

const sizeOf = (packs: readonly Pack[]): number => packs.reduce((sum, { size }) => sum + size, 0);

function countPacks(packs: readonly Pack[], bounds: readonly number[], filter: Filter): Counts {
  const highest = Number(filter.maxPrice ?? HIGHEST_PRICE);
  const matching = ({ prices, size }: Pack): number =>
    filter.priced ? below(prices, highest + 1) - below(prices, Number(filter.minPrice)) : size;
  const chosen = packs.filter(({ category }) => filter.category === '' || category === filter.category);
  const sum = (some: readonly Pack[]): number => some.reduce((total, pack) => total + matching(pack), 0);
  const categories = new Map<string, CategoryCount>();
  for (const pack of packs) {
    const { category, name } = pack;
    categories.set(category, { category, name, count: matching(pack) + (categories.get(category)?.count ?? 0) });
  }
  const cheaper = bounds.map((bound) => chosen.reduce((total, { prices }) => total + below(prices, bound), 0));
  const priced = chosen.reduce((total, { prices }) => total + prices.length, 0);
  const priceRanges = bounds.map((bound, i) => ({
    minPrice: BigInt(bound),
    maxPrice: BigInt((bounds[i + 1] ?? 1) - 1),
    count: (cheaper[i + 1] ?? priced) - (cheaper[i] as number),
  }));
  return {
    total: sum(chosen),
    inName: sum(chosen.filter(({ inName }) => inName)),
    categories: [...categories.values()].filter(({ count }) => count > 0).sort(byCount),
    priceRanges: priceRanges.filter(({ count }) => count > 0),
  };
}

/** How many of the sorted prices are below the bound. */
function below(prices: Float64Array, bound: number): number {
  let low = 0;
  let high = prices.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((prices[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

const byCount = (a: CategoryCount, b: CategoryCount): number => b.count - a.count || (a.category < b.category ? -1 : 1);
