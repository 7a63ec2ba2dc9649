import type { Clock, Context } from '@souk/kernel';
import type { Counts, Matches } from '../domain/matches.ts';
import type { Filter, Search } from '../domain/search.ts';
import { respell, spellable } from '../domain/spelling.ts';
import { createExpiringCache } from './expiring-cache.ts';
import { type MatchRequest, MOST_MATCHES, type ProductSearch } from './product-search.ts';

export interface FinderInit {
  readonly search: ProductSearch;
  readonly clock: Clock;
  /** How long counts are reused, in milliseconds. */
  readonly ttlMs: number;
  /** Matches remembered, over all searches. */
  readonly capacity: number;
}

/** What matches a search, and how many under its filter. */
export interface Found {
  /** Of the words alone. */
  readonly matches: Matches;
  readonly counts: Counts;
  /** When the oldest of what this was counted from is counted anew, in milliseconds of the monotonic clock. */
  readonly expiresMs: number;
}

/** Remembers for a while what matches. */
export interface Finder {
  /** What matches the words or, when nothing does, what matches the words that were probably meant. */
  find(ctx: Context, search: Search): Promise<Found>;
  /** How many active products there are, of a category or in all. */
  countAll(ctx: Context, category: string, currency: string): Promise<number>;
  /** Products changed. */
  invalidate(): void;
}

/** An estimate this many times above what must be exact is not counted again. */
const SURE = 2;

const NO_FILTER: Filter = { category: '', minPrice: 0n, maxPrice: undefined, priced: false };

interface Answer {
  /** The words asked for, or those that were probably meant. */
  readonly words: string;
  readonly matches: Matches;
}

/** What an entry weighs beyond its matches, in matches. */
const ENTRY_WEIGHT = 50;

/** A search that finds nothing is done again this soon, in milliseconds: another process may have added what it looks for. */
const NOTHING_TTL_MS = 1_000;

export function createFinder({ search, clock, ttlMs, capacity }: FinderInit): Finder {
  const cache = createExpiringCache<Answer>({
    clock,
    capacity,
    sparing: true,
    weightOf: ({ matches }) => Math.min(matches.size, MOST_MATCHES) + ENTRY_WEIGHT,
    ttlMsOf: ({ matches }) => (matches.size === 0 ? Math.min(ttlMs, NOTHING_TTL_MS) : ttlMs),
  });

  const load = async (ctx: Context, request: MatchRequest): Promise<Answer> => {
    const { words } = request;
    const matches = await search.match(ctx, request);
    const asked = spellable(words);
    if (matches.size > 0 || asked.length === 0 || isFiltered(request)) return { words, matches };
    const meant = respell(words, await search.closestWords(ctx, asked));
    return meant === words
      ? { words, matches }
      : { words: meant, matches: await search.match(ctx, { ...request, words: meant }) };
  };

  const match = async (ctx: Context, request: MatchRequest): Promise<Answer & { readonly expiresMs: number }> => {
    const { words, prefix, currency, category, minPrice, maxPrice, priced } = request;
    const key = JSON.stringify([words, prefix, currency, category, priced && `${minPrice} ${maxPrice}`]);
    const answer = await cache.get(key, () => load(ctx, request));
    return { ...answer, expiresMs: cache.expiryOf(key) };
  };

  return {
    find: async (ctx, { words, prefix, currency, category, minPrice, maxPrice, priced }) => {
      const filter = { category, minPrice, maxPrice, priced };
      const answer = await match(ctx, { words, prefix, currency, ...NO_FILTER });
      const { matches } = answer;
      const counts = matches.count(filter);
      if (!matches.sampled || !isFiltered(filter)) return { matches, counts, expiresMs: answer.expiresMs };
      // A filter may leave few of many matches, so what it leaves is counted by itself.
      const request = { words: answer.words, prefix, currency, ...NO_FILTER };
      const inCategory = category === '' ? answer : await match(ctx, { ...request, category });
      const unsure = inCategory.matches.sampled && inCategory.matches.count(filter).total < MOST_MATCHES * SURE;
      const filtered = unsure ? await match(ctx, { ...request, ...filter }) : inCategory;
      const { total, inName } = filtered.matches.count(filter);
      const { priceRanges } = inCategory.matches.count(filter);
      return {
        matches,
        counts: { ...counts, total, inName, priceRanges },
        expiresMs: Math.min(answer.expiresMs, inCategory.expiresMs, filtered.expiresMs),
      };
    },
    countAll: async (ctx, category, currency) => {
      const all = await match(ctx, { words: '', prefix: false, currency, ...NO_FILTER });
      return all.matches.count({ ...NO_FILTER, category }).total;
    },
    invalidate: () => cache.invalidate(),
  };
}

const isFiltered = ({ category, priced }: Filter): boolean => category !== '' || priced;
