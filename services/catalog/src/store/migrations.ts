import type { Migration } from '@souk/store';

/** Currencies whose prices are indexed. Other currencies work as well, but sorting by them reads every match. */
export const INDEXED_CURRENCIES: readonly string[] = ['EUR', 'USD', 'JPY'];

export const catalogMigrations: readonly Migration[] = [
  {
    id: 'catalog/0001-products',
    // category_name repeats the name of the category, which never changes, so that a page is read from one table.
    // name_key is made by the service (case and accents folded) and compares by code point, so that pages do not depend on the
    // collations of the server. search_name is kept beside search so that "all words in the name" has an index and statistics of its own.
    // What the GIN indexes put off until later stays below 64 kB, because every search reads it.
    sql: `
      create extension if not exists unaccent;
      create extension if not exists pg_trgm;
      create text search configuration souk_search (copy = pg_catalog.english);
      alter text search configuration souk_search
        alter mapping for hword, hword_part, word with unaccent, english_stem;

      create table category (
        slug text collate "C" primary key,
        name text not null
      );

      create table product (
        id text collate "C" primary key,
        sku text unique check (sku <> ''),
        name text not null,
        name_key text collate "C" not null,
        description text not null,
        category text collate "C" not null references category (slug),
        category_name text not null,
        prices jsonb not null,
        attributes jsonb not null,
        status text not null default 'active' check (status in ('active', 'archived')),
        version int not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        search_name tsvector not null generated always as (to_tsvector('souk_search'::regconfig, name)) stored,
        search tsvector not null generated always as (
          to_tsvector('souk_search'::regconfig, name)
          || to_tsvector('souk_search'::regconfig, replace(category, '-', ' '))
          || to_tsvector('souk_search'::regconfig, attributes)
          || to_tsvector('souk_search'::regconfig, description)
        ) stored
      );
      create index product_search on product using gin (search) with (gin_pending_list_limit = 64);
      create index product_search_name on product using gin (search_name) with (gin_pending_list_limit = 64);
      create index product_newest on product (category, id) where status = 'active';
      create index product_by_name on product (name_key, id) where status = 'active';
      create index product_by_category_name on product (category, name_key, id) where status = 'active';
      ${INDEXED_CURRENCIES.map(
        (currency) => `
      create index product_by_${currency.toLowerCase()} on product (((prices ->> '${currency}')::bigint), id) where status = 'active';
      create index product_by_category_${currency.toLowerCase()} on product (category, ((prices ->> '${currency}')::bigint), id)
        where status = 'active';`,
      ).join('')}

      create table word (
        word text collate "C" primary key
      );
      create index word_alike on word using gin (word gin_trgm_ops) with (fastupdate = off);
    `,
  },
  {
    id: 'catalog/0002-changes',
    // Processes remember what they answered while the sum of all changes stays the same. A number counts for others when its transaction
    // commits, which no sequence could do. Several rows, so that two transactions hardly ever wait for each other; one that does holds its
    // products already, and the one it waits for needs no more of them.
    sql: `
      create table change (
        slot int primary key,
        changes bigint not null
      ) with (fillfactor = 50);
      insert into change (slot, changes) select slot, 0 from generate_series(0, 31) as given (slot);
      create function count_change() returns trigger language plpgsql as $$ begin
        update change set changes = changes + 1 where slot = pg_backend_pid() % 32;
        return null;
      end $$;
      create trigger product_changed after insert or update or delete or truncate on product
        for each statement execute function count_change();
    `,
  },
];
