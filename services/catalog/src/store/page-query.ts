import type { PagePlan } from '../domain/page-plan.ts';
import type { Sort } from '../domain/search.ts';
import { INDEXED_CURRENCIES } from './migrations.ts';
import { PRODUCT_COLUMNS } from './product-row.ts';

/** Which part of the matches a page lists: all words in the name, the rest, both, or both with those in the name first. */
export type Part = 'name' | 'rest' | 'all' | 'ranked';

/** What the text of a page's query depends on. All of it comes from closed sets, so the texts are constants of a small number. */
export interface PageShape {
  readonly plan: PagePlan;
  readonly sort: Sort;
  /** Undefined without words. */
  readonly part: Part | undefined;
  readonly category: boolean;
  readonly priced: boolean;
  /** Empty for all that have no index. */
  readonly currency: string;
  /** Products that a walk looks at, at most. Written into the text, or the planner would not know that they are few. */
  readonly budget?: number | undefined;
}

/** What a page's query may be given; its text names what it uses as `:limit`, `:tsquery` and so on. */
export interface PageValues {
  readonly limit: number;
  readonly tsquery: string;
  readonly category: string;
  readonly minPrice: bigint;
  readonly maxPrice: bigint;
  readonly currency: string;
  /** Sort key and id of the last product of the page before. */
  readonly afterKey: string;
  readonly afterTier: number;
  readonly afterId: string;
}

export interface PageQuery {
  readonly text: string;
  valuesOf(values: PageValues): readonly unknown[];
}

export function pageQuery(shape: PageShape): PageQuery {
  const names: (keyof PageValues)[] = [];
  const text = (shape.plan === 'gather' ? gatherQuery(shape) : walkQuery(shape)).replace(
    /(?<!:):([a-z]+)/gi,
    (_, name: keyof PageValues) => {
      if (!names.includes(name)) names.push(name);
      return `$${names.indexOf(name) + 1}`;
    },
  );
  return { text, valuesOf: (values) => names.map((name) => values[name]) };
}

/** Finds all matches first, keeps their sort keys only, and reads the whole rows of one page. */
function gatherQuery(shape: PageShape): string {
  const { key, order, after } = ordering(shape, 'key', 'id');
  const price = priceOf(shape.currency);
  return `/* catalog.page-gather */
with hits as materialized (
  select p.id, ${key} as key from product p
  where p.status = 'active'
  ${matches(shape.part, (column) => `p.${column} @@ :tsquery::tsquery`)}
  ${shape.category ? 'and p.category = :category' : ''}
  ${shape.priced ? `and ${shape.part === undefined ? price : hidden(price)} between :minPrice and :maxPrice` : ''}
), page as (
  select id, key from hits where ${after} order by ${order} limit :limit
)
select ${PRODUCT_COLUMNS}${shape.part === 'ranked' ? ', page.key as tier' : ''} from page join product p using (id)
order by ${ordering(shape, 'page.key', 'page.id').order}`;
}

/**
 * Follows the index of the sort. Conditions are written so that no other index fits them, or the planner, which prepares the query
 * without knowing the values, would at times choose to gather.
 */
function walkQuery(shape: PageShape): string {
  const price = priceOf(shape.currency);
  const byPrice = shape.sort.startsWith('price');
  const key = shape.sort === 'name' ? 'p.name_key' : byPrice ? price : 'p.id';
  const { order, after } = ordering(shape, key, 'p.id');
  const along = `p.status = 'active'
${shape.category ? 'and p.category = :category' : ''}
${byPrice ? `and ${boundsOf(shape, price)}` : ''}
and ${after}`;
  const checks = `${matches(shape.part, (column) => `ts_match_vq(p.${column}, :tsquery::tsquery)`)}
${shape.priced && !byPrice ? `and ${hidden(price)} between :minPrice and :maxPrice` : ''}`;
  return `/* catalog.page-walk */
select ${PRODUCT_COLUMNS} from ${
    shape.budget === undefined
      ? `product p where ${along} ${checks}`
      : `(select * from product p where ${along} order by ${order} limit ${shape.budget}) p where true ${checks}`
  }
order by ${order}
limit :limit`;
}

/**
 * Where a walk by price ends. It begins at the position given, which keeps the other bound; with both bounds here the planner would take
 * them for a narrow range, to be gathered and sorted, instead of following the index up to the budget.
 */
function boundsOf({ sort, budget }: PageShape, price: string): string {
  if (budget === undefined) return `${price} between :minPrice and :maxPrice`;
  return sort === 'price_asc' ? `${price} <= :maxPrice` : `${price} >= :minPrice`;
}

/** An expression that no index fits; products without a price stay out. */
const hidden = (price: string): string => `coalesce(${price}, -1)`;

/** Words that a search excludes may stand outside the name, so a match in the name has to match as a whole, too. */
function matches(part: Part | undefined, match: (column: string) => string): string {
  const whole = 'ts_match_vq(p.search, :tsquery::tsquery)';
  switch (part) {
    case undefined:
      return '';
    case 'all':
    case 'ranked':
      return `and ${match('search')}`;
    case 'name':
      return `and ${match('search_name')} and ${whole}`;
    case 'rest':
      return `and ${match('search')} and not ts_match_vq(p.search_name, :tsquery::tsquery)`;
  }
}

interface Ordering {
  /** What `key` stands for in the product. */
  readonly key: string;
  readonly order: string;
  readonly after: string;
}

function ordering(shape: PageShape, key: string, id: string): Ordering {
  if (shape.part === 'ranked') {
    return {
      key: 'case when ts_match_vq(p.search_name, :tsquery::tsquery) then 0 else 1 end',
      order: `${key}, ${id} desc`,
      after: `(${key} > :afterTier::int or (${key} = :afterTier::int and ${id} < :afterId))`,
    };
  }
  switch (shape.sort) {
    case 'name':
      return { key: 'p.name_key', order: `${key}, ${id}`, after: `(${key}, ${id}) > (:afterKey, :afterId)` };
    case 'price_asc':
      return {
        key: priceOf(shape.currency),
        order: `${key}, ${id}`,
        after: `(${key}, ${id}) > (:afterKey::bigint, :afterId)`,
      };
    case 'price_desc':
      return {
        key: priceOf(shape.currency),
        order: `${key} desc, ${id} desc`,
        after: `(${key}, ${id}) < (:afterKey::bigint, :afterId)`,
      };
    case 'newest':
    case 'relevance':
      return { key: "''::text", order: `${id} desc`, after: `${id} < :afterId` };
  }
}

/** A currency by which texts differ: one with indexes of its own, or any other. */
export const indexedCurrency = (currency: string): string => (INDEXED_CURRENCIES.includes(currency) ? currency : '');

/** Written as in the indexes where the currency has one. */
const priceOf = (currency: string): string =>
  currency !== '' ? `(p.prices ->> '${currency}')::bigint` : '(p.prices ->> :currency)::bigint';
