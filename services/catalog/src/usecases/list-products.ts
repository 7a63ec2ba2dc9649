import { create } from '@bufbuild/protobuf';
import { type ListProductsRequest, ListProductsResponseSchema } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { pageSize } from '@souk/service';
import { facetsMessage } from '../api/messages.ts';
import { openPosition, sealPosition } from '../api/page-token.ts';
import type { Counts, Matches } from '../domain/matches.ts';
import { choosePlan, type PageChoice } from '../domain/page-plan.ts';
import { type Position, type Search, toSearch } from '../domain/search.ts';
import type { CatalogParts } from '../parts.ts';
import { frozen, type Page } from '../store/answers.ts';
import type { Part } from '../store/page-query.ts';
import type { Listed } from '../store/product-search.ts';

interface Sizes {
  readonly gathered: number | undefined;
  readonly matching: number;
}

/** Matches so few that gathering both parts of a ranked list in one query is better than reading them one after the other. */
const FEW = 1_000;

/** A page of the products that match, and counts over all pages, which may be a little old. */
export const listProducts = (parts: CatalogParts) => async (ctx: Context, request: ListProductsRequest) => {
  const search = toSearch(request);
  const size = pageSize(request.pageSize);
  await parts.changes.see(ctx);
  const key = keyOf(search, request.pageToken, size);
  const page = await parts.answers.pages.get(key, () => read(parts, ctx, search, request.pageToken, size));
  return page.response;
};

const keyOf = ({ words, category, minPrice, maxPrice, currency, sort }: Search, pageToken: string, size: number) =>
  JSON.stringify([words, category, `${minPrice} ${maxPrice}`, currency, sort, size, pageToken]);

async function read(parts: CatalogParts, ctx: Context, search: Search, token: string, size: number): Promise<Page> {
  const after = openPosition(search, token);
  const { matches, counts, expiresMs } = await parts.finder.find(ctx, search);
  // One more than the page holds tells whether there is another page.
  const listed = await list(parts, ctx, { search, after, matches, counts, limit: size + 1 });
  const page = listed.slice(0, size);
  const last = listed.length > size ? page.at(-1) : undefined;
  const response = create(ListProductsResponseSchema, {
    products: page.map(({ product }) => parts.answers.messageOf(product, search.currency)),
    facets: facetsMessage(counts, search.category, search.currency),
    nextPageToken: last === undefined ? '' : sealPosition(search, last.position),
    totalEstimate: counts.total,
  });
  return { response: frozen(response), expiresMs };
}

interface Listing {
  readonly search: Search;
  readonly after: Position | undefined;
  readonly matches: Matches;
  readonly counts: Counts;
  readonly limit: number;
}

async function list(parts: CatalogParts, ctx: Context, listing: Listing): Promise<Listed[]> {
  const { search, matches, limit } = listing;
  // Nothing matches the words, nor any words like them.
  if (search.words !== '' && matches.size === 0) return [];
  const listed: Listed[] = [];
  for (const { part, from } of sections(listing)) {
    if (listed.length === limit) break;
    const choice = await planFor(parts, ctx, listing, part);
    const left = limit - listed.length;
    const page = { search, part, tsquery: matches.tsquery, after: from, limit: left };
    const read = await parts.search.page(ctx, { ...page, ...choice });
    const givenUp = choice.budget !== undefined && read.length < left;
    listed.push(...(givenUp ? await parts.search.page(ctx, { ...page, plan: 'gather' }) : read));
  }
  return listed;
}

interface Section {
  readonly part: Part | undefined;
  readonly from: Position | undefined;
}

/** By relevance, products with all words in the name come first, then the rest. */
function sections({ search, after, matches, counts }: Listing): readonly Section[] {
  if (search.words === '') return [{ part: undefined, from: after }];
  if (search.sort !== 'relevance') return [{ part: 'all', from: after }];
  // The indexes of words and category together lead to what matches both.
  const gathered = search.category === '' ? matches.size : counts.total;
  if (gathered <= FEW) return [{ part: 'ranked', from: after }];
  if (after?.tier === 1) return [{ part: 'rest', from: after }];
  return [
    { part: 'name', from: after },
    { part: 'rest', from: undefined },
  ];
}

function sizesOf({ search, matches, counts }: Listing, part: Part | undefined): Sizes {
  switch (part) {
    case 'name':
      return { gathered: matches.inName, matching: counts.inName };
    case 'rest':
      return { gathered: matches.size, matching: counts.total - counts.inName };
    case 'all':
    case 'ranked':
      return { gathered: matches.size, matching: counts.total };
    case undefined:
      // The index of a sort by price leads to its bounds, too.
      return {
        gathered: search.priced && !search.sort.startsWith('price') ? counts.total : undefined,
        matching: counts.total,
      };
  }
}

async function planFor(
  parts: CatalogParts,
  ctx: Context,
  listing: Listing,
  part: Part | undefined,
): Promise<PageChoice> {
  const { search, limit } = listing;
  const sizes = sizesOf(listing, part);
  if (sizes.gathered === undefined) return { plan: 'walk' };
  if (part === 'ranked' || sizes.gathered <= limit) return { plan: 'gather' };
  const along = await parts.finder.countAll(ctx, search.category, search.currency);
  // Of one category's prices the planner expects so few that it would gather and sort them before it stops.
  const stoppable = search.category === '' || !search.sort.startsWith('price');
  return choosePlan({ ...sizes, along, limit, stoppable });
}
