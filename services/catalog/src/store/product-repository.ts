import type { Context } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { Product } from '../domain/product.ts';
import { nameKey, wordsOf } from '../domain/text.ts';
import { PRODUCT_COLUMNS, type ProductRow, pricesToJson, toProduct } from './product-row.ts';

export interface PricedRow {
  readonly id: string;
  readonly name: string;
  readonly status: Product['status'];
  readonly version: number;
  /** Minor units in the currency asked for. */
  readonly price: bigint | null;
}

export interface CategoryRow {
  readonly slug: string;
  readonly name: string;
  readonly products: number;
}

export interface ProductRepository {
  find(ctx: Context, id: string): Promise<Product | undefined>;
  /** Name, state and price of those that exist, in no order. */
  findPrices(ctx: Context, ids: readonly string[], currency: string): Promise<readonly PricedRow[]>;
  /** Categories after `after`, by name and slug, with the number of active products. */
  listCategories(
    ctx: Context,
    after: readonly [name: string, slug: string],
    limit: number,
  ): Promise<readonly CategoryRow[]>;
  /** Reads a product and keeps others from changing it until the transaction ends. */
  lock(tx: Transaction, id: string): Promise<Product | undefined>;
  /** Makes the categories and products that do not exist yet; one whose id or number is taken is left out. @returns how many products are new */
  insert(tx: Pick<Transaction, 'query'>, products: readonly Product[]): Promise<number>;
  update(tx: Transaction, product: Product): Promise<void>;
}

const FIND = `/* catalog.find */ select ${PRODUCT_COLUMNS} from product p where p.id = $1`;

const LOCK = `/* catalog.lock */ select ${PRODUCT_COLUMNS} from product p where p.id = $1 for update`;

const PRICES = `/* catalog.prices */
select id, name, status, version, (prices ->> $2)::bigint as price from product where id = any($1::text[])`;

const CATEGORIES = `/* catalog.list-categories */
select c.slug, c.name, (select count(*) from product p where p.category = c.slug and p.status = 'active')::int as products
from category c
where (c.name collate "C", c.slug) > ($1, $2)
order by c.name collate "C", c.slug
limit $3`;

// One statement. Categories and words that exist already are left out before the insert, which keeps their indexes out of the way of most
// imports; all rows are sorted, so that two imports at once cannot wait for each other in a circle.
const INSERT = `/* catalog.insert */
with new_category as (
  insert into category (slug, name)
  select slug, name from unnest($12::text[], $13::text[]) as given (slug, name)
  where not exists (select from category c where c.slug = given.slug)
  order by slug
  on conflict do nothing
), new_word as (
  insert into word (word)
  select given.word from unnest($14::text[]) as given (word)
  where not exists (select from word w where w.word = given.word)
  order by given.word collate "C"
  on conflict do nothing
)
insert into product (id, sku, name, name_key, description, category, category_name, prices, attributes, status, version, created_at, updated_at)
select given.id, nullif(given.sku, ''), given.name, given.name_key, given.description, given.category, coalesce(c.name, given.category_name),
  given.prices::jsonb, given.attributes::jsonb, given.status, 1, given.created_at, given.updated_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::timestamptz[], $11::timestamptz[], $15::text[])
  as given (id, sku, name, name_key, description, category, prices, attributes, status, created_at, updated_at, category_name)
  left join category c on c.slug = given.category
order by given.id
on conflict do nothing`;

const UPDATE = `/* catalog.update */
with new_category as (
  insert into category (slug, name) select $7, $12 where not exists (select from category where slug = $7) on conflict do nothing
), new_word as (
  insert into word (word)
  select given.word from unnest($13::text[]) as given (word)
  where not exists (select from word w where w.word = given.word)
  order by given.word collate "C"
  on conflict do nothing
)
update product set version = $2, sku = nullif($3, ''), name = $4, name_key = $5, description = $6, category = $7, category_name = coalesce((select name from category where slug = $7), $12),
  prices = $8::jsonb, attributes = $9::jsonb, status = $10, updated_at = $11
where id = $1`;

export function createProductRepository(db: Database): ProductRepository {
  return {
    find: async (ctx, id) => {
      const { rows } = await db.at(ctx).query<ProductRow>(FIND, [id]);
      return rows[0] && toProduct(rows[0]);
    },
    findPrices: async (ctx, ids, currency) => (await db.at(ctx).query<PricedRow>(PRICES, [ids, currency])).rows,
    listCategories: async (ctx, after, limit) =>
      (await db.at(ctx).query<CategoryRow>(CATEGORIES, [...after, limit])).rows,
    lock: async (tx, id) => {
      const { rows } = await tx.query<ProductRow>(LOCK, [id]);
      return rows[0] && toProduct(rows[0]);
    },
    insert: async (tx, products) => {
      const column = <T>(of: (product: Product) => T): T[] => products.map(of);
      const categories = new Map(products.map(({ category, categoryName }) => [category, categoryName]));
      const { rowCount } = await tx.query(INSERT, [
        column(({ id }) => id),
        column(({ sku }) => sku),
        column(({ name }) => name),
        column(({ name }) => nameKey(name)),
        column(({ description }) => description),
        column(({ category }) => category),
        column(({ prices }) => pricesToJson(prices)),
        column(({ attributes }) => JSON.stringify(attributes)),
        column(({ status }) => status),
        column(({ createdAt }) => createdAt),
        column(({ updatedAt }) => updatedAt),
        [...categories.keys()],
        [...categories.values()],
        vocabularyOf(products),
        column(({ categoryName }) => categoryName),
      ]);
      return rowCount;
    },
    update: async (tx, product) => {
      await tx.query(UPDATE, [
        product.id,
        product.version,
        product.sku,
        product.name,
        nameKey(product.name),
        product.description,
        product.category,
        pricesToJson(product.prices),
        JSON.stringify(product.attributes),
        product.status,
        product.updatedAt,
        product.categoryName,
        vocabularyOf([product]),
      ]);
    },
  };
}

/** What a misspelt word may have meant: words of names, categories and attributes; descriptions would add noise. */
const vocabularyOf = (products: readonly Product[]): string[] =>
  wordsOf(
    products
      .map(({ name, category, attributes }) => `${name} ${category} ${Object.values(attributes).join(' ')}`)
      .join(' '),
  );
