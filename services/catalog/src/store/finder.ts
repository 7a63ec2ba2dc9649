import type { Clock, Context } from '@souk/kernel';
import type { Matches } from '../domain/matches.ts';
import type { Search } from '../domain/search.ts';
import { respell, spellable } from '../domain/spelling.ts';
import { createExpiringCache } from './expiring-cache.ts';
import type { ProductSearch } from './product-search.ts';

export interface FinderInit {
  readonly search: ProductSearch;
  readonly clock: Clock;
  /** How long counts are reused, in milliseconds. */
  readonly ttlMs: number;
  /** Matches remembered, over all searches. */
  readonly capacity: number;
}

/** Remembers for a while what matches the words of a search. */
export interface Finder {
  /** What matches the words or, when nothing does, what matches the words that were probably meant. */
  find(ctx: Context, search: Pick<Search, 'words' | 'prefix' | 'currency'>): Promise<Matches>;
  /** Products changed. */
  invalidate(): void;
}

/** What an entry weighs beyond its matches, in matches. */
const ENTRY_WEIGHT = 50;

/** A search that finds nothing is done again this soon, in milliseconds: another process may have added what it looks for. */
const NOTHING_TTL_MS = 1_000;

export function createFinder({ search, clock, ttlMs, capacity }: FinderInit): Finder {
  const cache = createExpiringCache<Matches>({
    clock,
    capacity,
    weightOf: ({ size }) => size + ENTRY_WEIGHT,
    ttlMsOf: ({ size }) => (size === 0 ? Math.min(ttlMs, NOTHING_TTL_MS) : ttlMs),
  });

  const load = async (ctx: Context, words: string, prefix: boolean, currency: string): Promise<Matches> => {
    const found = await search.match(ctx, words, prefix, currency);
    const asked = spellable(words);
    if (found.size > 0 || asked.length === 0) return found;
    const meant = respell(words, await search.closestWords(ctx, asked));
    return meant === words ? found : search.match(ctx, meant, prefix, currency);
  };

  return {
    find: (ctx, { words, prefix, currency }) =>
      cache.get(`${currency} ${prefix} ${words}`, () => load(ctx, words, prefix, currency)),
    invalidate: () => cache.invalidate(),
  };
}
