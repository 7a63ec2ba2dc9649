import { catalogErrors } from '../errors.ts';
import { DEFAULT_CURRENCY } from './money.ts';

export type Sort = 'relevance' | 'price_asc' | 'price_desc' | 'name' | 'newest';

/** What limits a search besides its words. */
export interface Filter {
  /** Slug; empty for all. */
  readonly category: string;
  readonly minPrice: bigint;
  readonly maxPrice: bigint | undefined;
  /** Only products with a price in the currency: filters and sorts by price leave out the others. */
  readonly priced: boolean;
}

export interface Search extends Filter {
  /** Empty finds everything. */
  readonly words: string;
  /** The last word may be the beginning of a longer one. */
  readonly prefix: boolean;
  readonly currency: string;
  readonly sort: Sort;
}

export interface SearchRequest {
  readonly query: string;
  readonly category: string;
  readonly minPrice: bigint;
  /** 0 for no bound. */
  readonly maxPrice: bigint;
  readonly currency: string;
  readonly sort: string;
}

const CONTROL = /\p{Cc}+/gu;

/** A last word of two letters or more, outside quotes, that is not excluded. */
const OPEN_END = /(?:^|\s)[\p{L}\p{N}\p{M}]{2,}$/u;

/** @throws CATALOG_PRICE_RANGE_REFUSED */
export function toSearch(request: SearchRequest): Search {
  const words = request.query.toWellFormed().replace(CONTROL, ' ').normalize('NFC').trim().replace(/\s+/gu, ' ');
  const { minPrice, category } = request;
  const maxPrice = request.maxPrice === 0n ? undefined : request.maxPrice;
  if (maxPrice !== undefined && maxPrice < minPrice) throw catalogErrors.PRICE_RANGE_REFUSED();
  const sort = toSort(request.sort, words);
  return {
    words,
    prefix: OPEN_END.test(words) && !isQuoted(words),
    category: category.replace(CONTROL, '?'),
    minPrice,
    maxPrice,
    priced: minPrice > 0n || maxPrice !== undefined || sort.startsWith('price'),
    currency: request.currency || DEFAULT_CURRENCY,
    sort,
  };
}

/** Nothing is more relevant than another without words to find: such a list is by name. */
function toSort(sort: string, words: string): Sort {
  if (sort === '' || sort === 'relevance') return words === '' ? 'name' : 'relevance';
  return sort as Sort;
}

const isQuoted = (words: string): boolean => words.split('"').length % 2 === 0;

/** Where a page ended, in the order of its sort. */
export interface Position {
  /** With relevance: 0 while products with all words in the name are listed, then 1. */
  readonly tier: number;
  /** Sort key of the last product: its price, its name key, or empty. */
  readonly key: string;
  readonly id: string;
}
