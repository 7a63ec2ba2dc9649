import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { priceLines, sumByProduct } from './pricing.ts';

const item = fc.record({
  productId: fc.constantFrom('prd_a', 'prd_b', 'prd_c', '__proto__'),
  quantity: fc.integer({ min: 1, max: 90 }),
});
const product = (productId: string, minorUnits: bigint) => ({
  productId,
  name: `name of ${productId}`,
  unitPrice: { currency: 'EUR', minorUnits },
});

test('lines of one product are added up, in the order of first mention', () => {
  const items = [
    { productId: 'b', quantity: 1 },
    { productId: 'a', quantity: 2 },
    { productId: 'b', quantity: 3 },
  ];
  assert.deepEqual(sumByProduct(items), [
    { productId: 'b', quantity: 4 },
    { productId: 'a', quantity: 2 },
  ]);
});

test('adding up keeps the number of pieces and names each product once', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 10, size: 'max' }), (items) => {
      const summed = sumByProduct(items);
      const pieces = (all: readonly { quantity: number }[]) => all.reduce((sum, { quantity }) => sum + quantity, 0);
      assert.equal(pieces(summed), pieces(items));
      assert.equal(new Set(summed.map(({ productId }) => productId)).size, summed.length);
    }),
  );
});

test('two lines do not pass a limit that one line would not', () => {
  const items = [
    { productId: 'a', quantity: 500 },
    { productId: 'a', quantity: 500 },
  ];
  assert.throws(() => sumByProduct(items), { reason: 'ORDERS_QUANTITY_TOO_LARGE' });
});

test('the total is the sum of the lines, exactly', () => {
  const prices = fc.dictionary(fc.constantFrom('prd_a', 'prd_b', 'prd_c'), fc.bigInt({ min: 0n, max: 10n ** 8n }));
  fc.assert(
    fc.property(prices, fc.integer({ min: 1, max: 999 }), (byId, quantity) => {
      const products = Object.entries(byId).map(([id, price]) => product(id, price));
      const items = products.map(({ productId }) => ({ productId, quantity }));
      const { lines, total } = priceLines(items, products.toReversed(), 'EUR');
      const sum = lines.reduce((all, { lineTotal }) => all + BigInt(lineTotal.minorUnits), 0n);
      assert.equal(total.minorUnits, sum.toString());
      for (const { quantity: pieces, unitPrice, lineTotal } of lines) {
        assert.equal(BigInt(unitPrice.minorUnits) * BigInt(pieces), BigInt(lineTotal.minorUnits));
      }
    }),
  );
});

test('a total beyond what clients count exactly is refused', () => {
  const items = [{ productId: 'a', quantity: 999 }];
  assert.throws(() => priceLines(items, [product('a', 10n ** 10n)], 'EUR'), { reason: 'ORDERS_TOTAL_TOO_LARGE' });
});
