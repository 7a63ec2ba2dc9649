import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMethodLimits } from './method-limits.ts';

const METHOD = 'souk.orders.v1.OrderService/WatchOrder';

test('limits are read as they are written', () => {
  const limits = { [METHOD]: { maxConcurrent: 100, maxStreamMs: 60_000, idleMs: 1000, maxMessageBytes: 2000 } };
  assert.deepEqual(parseMethodLimits(limits), limits);
  assert.deepEqual(parseMethodLimits({}), {});
});

for (const [given, said] of [
  [{ PlaceOrder: {} }, /PlaceOrder: want the name of a method/],
  [{ [METHOD]: 5 }, /want an object with any of maxMessageBytes/],
  [{ [METHOD]: [] }, /want an object/],
  [{ [METHOD]: { maxConcurent: 5 } }, /there is no maxConcurent, only/],
  [{ [METHOD]: { maxConcurrent: 0 } }, /maxConcurrent must be a whole number of at least 1/],
  [{ [METHOD]: { idleMs: '5s' } }, /idleMs must be a whole number/],
] as const) {
  test(`${JSON.stringify(given)} are no limits`, () => {
    assert.throws(() => parseMethodLimits(given), said);
  });
}
