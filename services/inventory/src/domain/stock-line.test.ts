import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toColumns, toLines } from './stock-line.ts';

const line = fc.record({ productId: fc.constantFrom('a', 'b', 'c', 'd'), quantity: fc.integer({ min: 1, max: 999 }) });

test('lines of the same product are summed', () => {
  const columns = toColumns([
    { productId: 'b', quantity: 3 },
    { productId: 'a', quantity: 1 },
    { productId: 'b', quantity: 3 },
  ]);
  assert.deepEqual(columns, { productIds: ['a', 'b'], quantities: [1, 6] });
});

test('columns are sorted, unique and keep the total', () => {
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const { productIds, quantities } = toColumns(lines);
      assert.deepEqual(productIds, [...new Set(productIds)].sort());
      const total = (all: readonly number[]) => all.reduce((sum, quantity) => sum + quantity, 0);
      assert.equal(total(quantities), total(lines.map(({ quantity }) => quantity)));
      assert.deepEqual(toColumns(toLines(productIds, quantities)), { productIds, quantities });
    }),
  );
});
