import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';
import { type Matches, type MatchGroup, packMatches } from '../domain/matches.ts';
import { HIGHEST_PRICE } from '../domain/money.ts';
import type { PagePlan } from '../domain/page-plan.ts';
import type { Product } from '../domain/product.ts';
import type { Filter, Position, Search } from '../domain/search.ts';
import { nameKey } from '../domain/text.ts';
import { indexedCurrency, type PageQuery, type PageShape, type Part, pageQuery } from './page-query.ts';
import { type ProductRow, toProduct } from './product-row.ts';

export interface PageRequest {
  readonly search: Search;
  readonly part: Part | undefined;
  readonly plan: PagePlan;
  /** Products that a walk looks at, at most: the page may then hold fewer than there are. */
  readonly budget?: number | undefined;
  /** From {@link Matches}. */
  readonly tsquery: string;
  /** Undefined for the first page. */
  readonly after: Position | undefined;
  readonly limit: number;
}

/** A product, and where a page that ends with it ends. */
export interface Listed {
  readonly product: Product;
  readonly position: Position;
}

/** Which matches to count: all of some words, or those that pass a filter, too. */
export interface MatchRequest extends Filter {
  readonly words: string;
  readonly prefix: boolean;
  readonly currency: string;
}

export interface ProductSearch {
  /** What matches. Of more matches than a limit some are looked at, and the rest is estimated. */
  match(ctx: Context, request: MatchRequest): Promise<Matches>;
  /** Products in the order of the search. Always as they are in the database now. */
  page(ctx: Context, request: PageRequest): Promise<readonly Listed[]>;
  /** For each word the one most like it among the words that products have, where one is like it at all. */
  closestWords(ctx: Context, words: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/** Matches that are looked at to count them: totals are promised to be exact so far. */
export const MOST_MATCHES = 1_000;

interface GroupRow {
  readonly tsquery: string;
  readonly category: string | null;
  readonly name: string | null;
  readonly in_name: boolean;
  readonly prices: string | null;
  readonly sampled: boolean;
  /** Share of the table that was read up to the last match looked at. */
  readonly share: number | null;
}

const ALL = `/* catalog.count-all */
with groups as (
  select p.category, string_agg(coalesce(p.prices ->> $1, ''), ',') as prices
  from product p where p.status = 'active' group by p.category
)
select '' as tsquery, g.category, c.name, false as in_name, g.prices, false as sampled, 1::float8 as share from groups g join category c on c.slug = g.category`;

// The text of a tsquery ends in a quote when it ends in a word: that word may go on. Matches arrive in the order of the table's pages, so
// where the last one is tells which share of the table was read.
const matching = (category: boolean, priced: boolean): string => `/* catalog.count-matches */
with parsed as materialized (
  select case when $2 and text like '%''' then (text || ':*')::tsquery else text::tsquery end as query
  from (select websearch_to_tsquery('souk_search', $1)::text as text) as plain
), hits as materialized (
  select p.category, p.search_name @@ parsed.query as in_name, coalesce(p.prices ->> $3, '') as price, p.ctid as place
  from parsed join product p on p.search @@ parsed.query and p.status = 'active'
  ${category ? 'and p.category = $5' : ''}
  ${priced ? `and coalesce((p.prices ->> $3)::bigint, -1) between $${category ? 6 : 5} and $${category ? 7 : 6}` : ''}
  limit $4 + 1
), read as (
  select count(*) > $4 as sampled, ((max(place)::text::point)[0] + 1) / greatest(pg_relation_size('product') / 8192, 1) as share
  from hits
), groups as (
  select category, in_name, string_agg(price, ',') as prices from hits group by category, in_name
)
select parsed.query::text as tsquery, g.category, c.name, g.in_name, g.prices, read.sampled, read.share
from parsed cross join read left join groups g on true left join category c on c.slug = g.category`;

const MATCHING = [matching(false, false), matching(true, false), matching(false, true), matching(true, true)];

const CLOSEST = `/* catalog.closest-words */
select distinct on (given.word) given.word as meant, w.word as found
from unnest($1::text[]) as given (word) join word w on w.word % given.word
where not exists (select from word known where known.word = given.word)
order by given.word, similarity(w.word, given.word) desc, w.word`;

/** Before the first product of each order. */
const START: Readonly<Record<Search['sort'], Position>> = {
  relevance: { tier: 0, key: '', id: '~' },
  newest: { tier: 0, key: '', id: '~' },
  name: { tier: 0, key: '', id: '' },
  price_asc: { tier: 0, key: '-1', id: '' },
  price_desc: { tier: 0, key: String(HIGHEST_PRICE + 1n), id: '~' },
};

/** @param mostMatches Matches that are looked at to count them. */
export function createProductSearch(db: Database, mostMatches = MOST_MATCHES): ProductSearch {
  const queries = new Map<string, PageQuery>();

  const queryOf = (shape: PageShape): PageQuery => {
    const name = Object.values(shape).join(' ');
    const query = queries.get(name) ?? pageQuery(shape);
    queries.set(name, query);
    return query;
  };

  return {
    match: async (ctx, { words, prefix, currency, category, priced, minPrice, maxPrice = HIGHEST_PRICE }) => {
      const sql = db.at(ctx);
      const filter = [...(category === '' ? [] : [category]), ...(priced ? [minPrice, maxPrice] : [])];
      const text = MATCHING[(category === '' ? 0 : 1) + (priced ? 2 : 0)] as string;
      const { rows } =
        words === ''
          ? await sql.query<GroupRow>(ALL, [currency])
          : await sql.query<GroupRow>(text, [words, prefix, currency, mostMatches, ...filter]);
      const [first] = rows;
      const { tsquery = '', sampled = false, share } = first ?? {};
      const scale = sampled ? 1 / Math.min(1, share ?? 1) : 1;
      return packMatches({ tsquery, currency, groups: rows.flatMap(toGroup), sampled, scale });
    },
    page: async (ctx, { search, part, plan, budget, tsquery, after, limit }) => {
      const { sort, priced, category, currency, minPrice, maxPrice = HIGHEST_PRICE } = search;
      const shape = {
        plan,
        sort,
        part,
        category: category !== '',
        priced,
        currency: indexedCurrency(currency),
        budget,
      };
      const query = queryOf(shape);
      const { tier: afterTier, key: afterKey, id: afterId } = withinBounds(search, after ?? START[sort]);
      const values = { limit, tsquery, category, minPrice, maxPrice, currency, afterTier, afterKey, afterId };
      const { rows } = await db.at(ctx).query<ProductRow & { tier?: number }>(query.text, query.valuesOf(values));
      return rows.map((row) => {
        const product = toProduct(row);
        const tier = row.tier ?? (part === 'rest' ? 1 : 0);
        return { product, position: { tier, key: keyOf(product, search), id: product.id } };
      });
    },
    closestWords: async (ctx, words) => {
      const { rows } = await db.at(ctx).query<{ meant: string; found: string }>(CLOSEST, [words]);
      return new Map(rows.map(({ meant, found }) => [meant, found]));
    },
  };
}

/** The position, or the bound of a price where that is further along. */
function withinBounds({ sort, minPrice, maxPrice = HIGHEST_PRICE }: Search, position: Position): Position {
  if (sort === 'price_asc' && BigInt(position.key) < minPrice) return { tier: 0, key: String(minPrice - 1n), id: '~' };
  if (sort === 'price_desc' && BigInt(position.key) > maxPrice) return { tier: 0, key: String(maxPrice + 1n), id: '' };
  return position;
}

const toGroup = ({ category, name, in_name, prices }: GroupRow): MatchGroup[] =>
  category === null || prices === null
    ? []
    : [{ category, categoryName: name ?? category, inName: in_name, prices: prices.split(',') }];

function keyOf(product: Product, { sort, currency }: Search): string {
  if (sort === 'name') return nameKey(product.name);
  return sort.startsWith('price') ? String(product.prices[currency] ?? '') : '';
}
