import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';
import { type Matches, type MatchGroup, packMatches } from '../domain/matches.ts';
import { HIGHEST_PRICE } from '../domain/money.ts';
import type { PagePlan } from '../domain/page-plan.ts';
import type { Product } from '../domain/product.ts';
import type { Position, Search } from '../domain/search.ts';
import { nameKey } from '../domain/text.ts';
import { indexedCurrency, type PageQuery, type PageShape, type Part, pageQuery } from './page-query.ts';
import { type ProductRow, toProduct } from './product-row.ts';

export interface PageRequest {
  readonly search: Search;
  readonly part: Part | undefined;
  readonly plan: PagePlan;
  /** From {@link Matches}. */
  readonly tsquery: string;
  /** Undefined for the first page. */
  readonly after: Position | undefined;
  readonly limit: number;
}

export interface ProductSearch {
  /** Everything that matches the words of a search, whatever its filter. */
  match(ctx: Context, words: string, prefix: boolean, currency: string): Promise<Matches>;
  /** Products in the order of the search. Always as they are in the database now. */
  page(ctx: Context, request: PageRequest): Promise<readonly Product[]>;
  /** For each word the one most like it among the words that products have, where one is like it at all. */
  closestWords(ctx: Context, words: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

interface GroupRow {
  readonly tsquery: string;
  readonly category: string | null;
  readonly name: string | null;
  readonly in_name: boolean;
  readonly prices: string | null;
}

const ALL = `/* catalog.count-all */
select '' as tsquery, p.category, min(p.category_name) as name, false as in_name, string_agg(coalesce(p.prices ->> $1, ''), ',') as prices
from product p where p.status = 'active' group by p.category`;

// The text of a tsquery ends in a quote when it ends in a word: that word may go on.
const MATCHING = `/* catalog.count-matches */
with parsed as materialized (
  select case when $2 and text like '%''' then (text || ':*')::tsquery else text::tsquery end as query
  from (select websearch_to_tsquery('souk_search', $1)::text as text) as plain
), groups as (
  select p.category, min(p.category_name) as name, p.search_name @@ parsed.query as in_name,
    string_agg(coalesce(p.prices ->> $3, ''), ',') as prices
  from parsed join product p on p.search @@ parsed.query and p.status = 'active'
  group by p.category, in_name
)
select parsed.query::text as tsquery, g.category, g.name, g.in_name, g.prices from parsed left join groups g on true`;

const CLOSEST = `/* catalog.closest-words */
select distinct on (given.word) given.word as meant, w.word as found
from unnest($1::text[]) as given (word) join word w on w.word % given.word
order by given.word, similarity(w.word, given.word) desc, w.word`;

/** Before the first product of each order. */
const START: Readonly<Record<Search['sort'], Pick<Position, 'key' | 'id'>>> = {
  relevance: { key: '', id: '~' },
  newest: { key: '', id: '~' },
  name: { key: '', id: '' },
  price_asc: { key: '-1', id: '' },
  price_desc: { key: String(HIGHEST_PRICE + 1n), id: '~' },
};

export function createProductSearch(db: Database): ProductSearch {
  const queries = new Map<string, PageQuery>();

  const queryOf = (shape: PageShape): PageQuery => {
    const name = Object.values(shape).join(' ');
    const query = queries.get(name) ?? pageQuery(shape);
    queries.set(name, query);
    return query;
  };

  return {
    match: async (ctx, words, prefix, currency) => {
      const sql = db.at(ctx);
      const { rows } =
        words === ''
          ? await sql.query<GroupRow>(ALL, [currency])
          : await sql.query<GroupRow>(MATCHING, [words, prefix, currency]);
      return packMatches(rows[0]?.tsquery ?? '', currency, rows.flatMap(toGroup));
    },
    page: async (ctx, { search, part, plan, tsquery, after, limit }) => {
      const { sort, priced, category, currency, minPrice, maxPrice = HIGHEST_PRICE } = search;
      const shape = { plan, sort, part, category: category !== '', priced, currency: indexedCurrency(currency) };
      const query = queryOf(shape);
      const { key: afterKey, id: afterId } = after ?? START[sort];
      const values = { limit, tsquery, category, minPrice, maxPrice, currency, afterKey, afterId };
      const { rows } = await db.at(ctx).query<ProductRow>(query.text, query.valuesOf(values));
      return rows.map(toProduct);
    },
    closestWords: async (ctx, words) => {
      const { rows } = await db.at(ctx).query<{ meant: string; found: string }>(CLOSEST, [words]);
      return new Map(rows.map(({ meant, found }) => [meant, found]));
    },
  };
}

const toGroup = ({ category, name, in_name, prices }: GroupRow): MatchGroup[] =>
  category === null || prices === null
    ? []
    : [{ category, categoryName: name ?? category, inName: in_name, prices: prices.split(',') }];

/** Where a page that ends with this product ends. */
export function positionOf(product: Product, search: Search, part: Part | undefined): Position {
  const tier = part === 'rest' ? 1 : 0;
  const price = search.sort.startsWith('price') ? product.prices[search.currency] : undefined;
  return { tier, key: search.sort === 'name' ? nameKey(product.name) : String(price ?? ''), id: product.id };
}
