import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MatchGroup, packMatches } from './matches.ts';
import { priceBounds } from './price-ranges.ts';
import type { Filter } from './search.ts';

const ALL: Filter = { category: '', minPrice: 0n, maxPrice: undefined, priced: false };

const anyGroups = fc.uniqueArray(
  fc.record({
    category: fc.constantFrom('a', 'b', 'c'),
    inName: fc.boolean(),
    prices: fc.array(fc.oneof(fc.constant(''), fc.integer({ min: 0, max: 200_000 }).map(String)), {
      minLength: 1,
      maxLength: 20,
    }),
  }),
  { selector: ({ category, inName }) => `${category} ${inName}` },
);

const pack = (groups: readonly Omit<MatchGroup, 'categoryName'>[], scale = 1) =>
  packMatches({
    tsquery: '',
    currency: 'EUR',
    groups: groups.map((group) => ({ ...group, categoryName: group.category })),
    sampled: scale > 1,
    scale,
  });

test('counts under any filter are those of counting one by one', () => {
  const anyFilter = fc.record({
    category: fc.constantFrom('', 'a', 'b', 'none'),
    minPrice: fc.bigInt({ min: 0n, max: 150_000n }),
    maxPrice: fc.option(fc.bigInt({ min: 150_000n, max: 300_000n }), { nil: undefined }),
    priced: fc.boolean(),
  });
  fc.assert(
    fc.property(anyGroups, anyFilter, (groups, filter) => {
      const all = groups.flatMap(({ category, inName, prices }) =>
        prices.map((price) => ({ category, inName, price })),
      );
      const ofCategory = all.filter(({ category }) => filter.category === '' || category === filter.category);
      const fits = ({ price }: { price: string }): boolean =>
        !filter.priced ||
        (price !== '' &&
          BigInt(price) >= filter.minPrice &&
          (filter.maxPrice === undefined || BigInt(price) <= filter.maxPrice));
      const counts = pack(groups).count(filter);
      assert.equal(counts.total, ofCategory.filter(fits).length);
      assert.equal(counts.inName, ofCategory.filter((one) => fits(one) && one.inName).length);
      for (const slug of ['a', 'b', 'c']) {
        const count = counts.categories.find(({ category }) => category === slug)?.count ?? 0;
        assert.equal(count, all.filter((one) => one.category === slug && fits(one)).length);
      }
      const inRanges = counts.priceRanges.reduce((sum, { count }) => sum + count, 0);
      assert.equal(inRanges, ofCategory.filter(({ price }) => price !== '').length);
    }),
  );
});

test('a price on the edge of two ranges belongs to the dearer one', () => {
  const edge = priceBounds('EUR')[1] as number;
  const { priceRanges } = pack([{ category: 'a', inName: true, prices: [String(edge - 1), String(edge)] }]).count(ALL);
  assert.deepEqual(
    priceRanges.map(({ minPrice, maxPrice, count }) => [minPrice, maxPrice, count]),
    [
      [0n, BigInt(edge - 1), 1],
      [BigInt(edge), 2_499n, 1],
    ],
  );
});

test('ranges of yen begin at whole hundreds of yen', () => {
  assert.deepEqual(priceBounds('JPY').slice(0, 3), [0, 1_000, 2_500]);
  assert.deepEqual(priceBounds('KWD').slice(0, 3), [0, 10_000, 25_000]);
});

test('a sample stands for as many products as were not looked at', () => {
  const matches = pack([{ category: 'a', inName: true, prices: ['100', '200'] }], 2.5);
  assert.equal(matches.size, 5);
  assert.equal(matches.count(ALL).total, 5);
  assert.equal(matches.sampled, true);
});
