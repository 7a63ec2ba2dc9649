import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createIds, hasReason, seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { toSearch } from '../src/domain/search.ts';
import { createFinder } from '../src/store/finder.ts';
import type { Part } from '../src/store/page-query.ts';
import { createProductSearch } from '../src/store/product-search.ts';
import { type NaiveProduct, naiveSearch } from './naive-search.ts';
import { type CatalogWorld, catalogWorld } from './world.ts';

const WORDS = ['zorb', 'quin', 'velt', 'kord', 'kordel', 'drom'];
const CATEGORIES = ['quin-things', 'blat', 'velt'];
const CURRENCIES = ['EUR', 'JPY', 'CHF'];
const SORTS = ['', 'relevance', 'name', 'newest', 'price_asc', 'price_desc'];

/** Products of few words, names and prices, so that ties and repeated words are common. */
function makeProducts(count: number): NaiveProduct[] {
  const random = seededRandom(7);
  let now = Date.UTC(2024, 0, 1);
  const ids = createIds({ now: () => now++, monotonicMs: () => 0 }, random);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T;
  const text = (most: number) =>
    Array.from({ length: 1 + Math.floor(random.next() * most) }, () => pick(WORDS)).join(' ');
  return Array.from({ length: count }, () => ({
    id: ids.next('prd'),
    name: random.next() < 0.5 ? text(2) : text(2).toUpperCase(),
    description: random.next() < 0.5 ? text(3) : '',
    category: pick(CATEGORIES),
    prices: Object.fromEntries(
      CURRENCIES.filter((currency) => currency === 'EUR' || random.next() < 0.7).map((currency) => [
        currency,
        Math.floor(random.next() * 8) * 700,
      ]),
    ),
    attributes: random.next() < 0.5 ? { colour: pick(WORDS) } : {},
    active: random.next() < 0.9,
  }));
}

const anySearch = fc.record({
  query: fc.oneof(
    fc.constant(''),
    fc.constantFrom(...WORDS, 'ko', 'ze'),
    fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...WORDS)).map((pair) => pair.join(' ')),
  ),
  category: fc.constantFrom('', '', ...CATEGORIES, 'none'),
  minPrice: fc.constantFrom(0, 0, 700, 2_800),
  maxPrice: fc.constantFrom(0, 0, 2_800, 4_200),
  currency: fc.constantFrom(...CURRENCIES),
  sort: fc.constantFrom(...SORTS),
});

const requestOf = (search: typeof anySearch extends fc.Arbitrary<infer T> ? T : never) => ({
  ...search,
  minPrice: BigInt(search.minPrice),
  maxPrice: BigInt(search.maxPrice),
});

describe('search', () => {
  const products = makeProducts(150);
  let world: CatalogWorld;
  before(async () => {
    world = await catalogWorld();
    await world.import({
      products: products.map(({ active: _, prices, ...product }) => ({
        ...product,
        prices: Object.entries(prices).map(([currency, units]) => ({ currency, minorUnits: BigInt(units) })),
      })),
    });
    for (const { id, active } of products) if (!active) await world.remove({ id });
  });
  after(() => world.close());

  test('pages put together are the full list that a naive search gives, with the same counts', async () => {
    await fc.assert(
      fc.asyncProperty(anySearch, fc.integer({ min: 3, max: 40 }), async (search, pageSize) => {
        // A word that nothing has is read as the one most like it; that is another test.
        fc.pre(search.query !== 'ze');
        const expected = naiveSearch(products, search);
        const ids: (string | undefined)[] = [];
        let pageToken = '';
        do {
          const page = await world.list({ ...requestOf(search), pageSize, pageToken });
          assert.ok(page.products.length <= pageSize);
          assert.equal(page.totalEstimate, expected.ids.length);
          assert.deepEqual(
            page.facets?.categories.map(({ category, count }) => [category, count]),
            expected.categories,
          );
          assert.deepEqual(
            page.facets?.priceRanges.map(({ minPrice, count }) => ({ min: Number(minPrice), count })),
            expected.ranges,
          );
          ids.push(...page.products.map(({ id }) => id));
          pageToken = page.nextPageToken;
        } while (pageToken !== '');
        assert.deepEqual(ids, expected.ids);
      }),
      { numRuns: 150, seed: 42 },
    );
  });

  test('walking and gathering read the same page', async () => {
    await fc.assert(
      fc.asyncProperty(anySearch, fc.integer({ min: 0, max: 30 }), async (given, skip) => {
        const search = toSearch(requestOf(given));
        const { matches } = await world.parts.finder.find(world.ctx, search);
        const parts: (Part | undefined)[] = search.words === '' ? [undefined] : ['name', 'rest', 'all'];
        for (const part of parts) {
          const read = async (plan: 'walk' | 'gather', limit: number, budget?: number) =>
            (
              await world.parts.search.page(world.ctx, {
                search,
                part,
                plan,
                tsquery: matches.tsquery,
                budget,
                after: undefined,
                limit,
              })
            ).map(({ product }) => product.id);
          const page = await read('gather', skip + 10);
          assert.deepEqual(await read('walk', skip + 10), page);
          // A walk that is given up has read the beginning of the page.
          const begun = await read('walk', skip + 10, 20);
          assert.deepEqual(begun, page.slice(0, begun.length));
        }
      }),
      { numRuns: 60, seed: 43 },
    );
  });

  test('of too many matches some are counted, but what a filter leaves is exact, and so are pages', async () => {
    const { parts, ctx } = world;
    const few = createFinder({
      search: createProductSearch(parts.db, 20),
      clock: parts.runtime.clock,
      ttlMs: 0,
      capacity: 1,
    });
    await fc.assert(
      fc.asyncProperty(anySearch, async (given) => {
        fc.pre(given.query !== '' && given.query !== 'ze');
        const search = toSearch(requestOf(given));
        const expected = naiveSearch(products, given).ids.length;
        const { matches, counts } = await few.find(ctx, search);
        if (!matches.sampled || (expected <= 20 && (search.category !== '' || search.priced)))
          assert.equal(counts.total, expected);
        if (expected > 0) assert.ok(counts.total > 0);
      }),
      { numRuns: 100, seed: 45 },
    );
  });

  test('the ranked list is those with all words in the name, then the rest', async () => {
    const search = toSearch({ query: 'zorb', category: '', minPrice: 0n, maxPrice: 0n, currency: '', sort: '' });
    const { matches } = await world.parts.finder.find(world.ctx, search);
    const read = async (part: Part) => {
      const request = { search, part, plan: 'gather', tsquery: matches.tsquery, after: undefined, limit: 200 } as const;
      return (await world.parts.search.page(world.ctx, request)).map(({ position }) => position);
    };
    assert.deepEqual(await read('ranked'), [...(await read('name')), ...(await read('rest'))]);
  });

  test('a page that starts in the middle does not depend on products that come and go before it', async () => {
    const first = await world.list({ query: 'zorb', sort: 'newest', pageSize: 5 });
    const full = naiveSearch(products, {
      query: 'zorb',
      category: '',
      minPrice: 0,
      maxPrice: 0,
      currency: 'EUR',
      sort: 'newest',
    });
    const made = await world.create({ name: 'zorb', category: 'blat', prices: [{ currency: 'EUR', minorUnits: 1n }] });
    const second = await world.list({ query: 'zorb', sort: 'newest', pageSize: 5, pageToken: first.nextPageToken });
    assert.deepEqual(
      second.products.map(({ id }) => id),
      full.ids.slice(5, 10),
    );
    await world.remove({ id: made.id as string });
  });

  test('a page token of another search, or a mangled one, is refused', async () => {
    const { nextPageToken } = await world.list({ query: 'zorb', sort: 'price_asc', pageSize: 3 });
    const mangled = Buffer.from(
      Buffer.from(nextPageToken, 'base64url')
        .toString()
        .replace(/"\d+","prd/, '"x","prd'),
    ).toString('base64url');
    for (const [pageToken, query] of [
      [nextPageToken, 'velt'],
      [mangled, 'zorb'],
      ['%%%', 'zorb'],
      ['e30', 'zorb'],
    ] as const) {
      await assert.rejects(
        world.list({ query, sort: 'price_asc', pageToken }),
        (error) => hasReason(error, 'SERVICE_PAGE_TOKEN_INVALID'),
        pageToken,
      );
    }
  });

  test('a misspelt word finds what was meant', async () => {
    const meant = await world.list({ query: 'quin' });
    const misspelt = await world.list({ query: 'quinn' });
    assert.ok(meant.products.length > 0);
    assert.deepEqual(misspelt.products, meant.products);
    assert.equal((await world.list({ query: 'xxyyxxyy' })).products.length, 0);
  });

  test('no input breaks the query language', async () => {
    const special = fc.string({ unit: fc.constantFrom(...`'"\\:*&|!<->() %_-\u0000\u202eé漢😀ab`), maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(special, special, async (query, category) => {
        const { products: found } = await world.list({ query, category });
        assert.ok(Array.isArray(found));
      }),
      { numRuns: 150, seed: 44 },
    );
  });

  test('phrases, exclusions and alternatives are understood', async () => {
    const names = async (query: string) => (await world.list({ query, pageSize: 100 })).products;
    for (const { name, description, attributes, category } of await names('zorb -velt')) {
      assert.ok(!/velt/i.test([name, description, category, ...Object.values(attributes ?? {})].join(' ')));
    }
    assert.ok((await names('"zorb quin"')).length < (await names('zorb quin')).length);
    assert.ok((await names('zorb or drom')).length >= (await names('zorb')).length);
  });
});
