import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CountedStatus, exchanged, figuresOf, NOTHING } from './user-figures.ts';

test('an order counts once, and as what it is now', () => {
  assert.deepEqual(figuresOf(undefined, 5n), NOTHING);
  const figures = (status: CountedStatus) => Object.values(figuresOf(status, 5n));
  assert.deepEqual(figures('PLACED'), [1, 0, 0, 0, 0n]);
  assert.deepEqual(figures('CONFIRMED'), [1, 1, 0, 0, 5n]);
  assert.deepEqual(figures('REJECTED'), [1, 0, 1, 0, 0n]);
  assert.deepEqual(figures('CANCELLED'), [1, 0, 0, 1, 0n]);
});

test('whatever an order was before, figures come to what it is at the end', () => {
  const status = fc.constantFrom<CountedStatus>('PLACED', 'CONFIRMED', 'REJECTED', 'CANCELLED');
  fc.assert(
    fc.property(fc.array(status, { minLength: 1 }), fc.bigInt({ min: 0n, max: 10n ** 18n }), (life, total) => {
      let before: CountedStatus | undefined;
      let figures = NOTHING;
      for (const after of life) {
        figures = exchanged(figures, figuresOf(before, total), figuresOf(after, total));
        before = after;
      }
      assert.deepEqual(figures, figuresOf(life.at(-1), total));
    }),
  );
});
