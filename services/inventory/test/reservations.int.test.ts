import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Transaction } from '@souk/store';
import fc from 'fast-check';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { toColumns } from '../src/domain/stock-line.ts';
import { inventoryMigrations } from '../src/store/migrations.ts';
import {
  commit,
  commitExpired,
  expire,
  findReservation,
  giveBack,
  release,
  reserve,
} from '../src/store/reservation-repository.ts';
import { findStock, importStock, lockStock, setStock } from '../src/store/stock-repository.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const LATER = new Date('2026-01-01T13:00:00Z');
const LOW = 0;

describe('reservations', () => {
  let world: TestDatabase;
  before(async () => {
    world = await testDatabase('inventory', [inventoryMigrations]);
  });
  after(() => world.close());

  const sql = () => world.db.at(world.ctx);
  const stockOf = async (id: string) => {
    const stock = await findStock(sql(), id);
    return stock && { onHand: stock.on_hand, reserved: stock.reserved };
  };
  /** As the use cases do it: a transaction, which is run again after a deadlock. */
  const inTx = <T>(work: (tx: Transaction) => Promise<T>) => world.db.tx(world.ctx, work);
  const take = (orderId: string, lines: Record<string, number>, expiresAt = LATER, low = LOW) =>
    inTx((tx) =>
      reserve(tx, {
        orderId,
        id: `rsv-${orderId}`,
        ...toColumns(Object.entries(lines).map(([productId, quantity]) => ({ productId, quantity }))),
        expiresAt,
        low,
      }),
    );
  const free = (order: { orderId: string; id: string; low: number }, now: Date) =>
    inTx((tx) => release(tx, order, now));
  const put = (id: string, onHand: number) =>
    inTx(async (tx) => {
      await lockStock(tx, id);
      return setStock(tx, id, onHand, world.runtime.ids.uuid(), NOW);
    });

  test('all lines are held, or none', async () => {
    await put('a1', 5);
    await put('a2', 1);
    assert.deepEqual((await take('o1', { a1: 2, a2: 2 })).short, ['a2']);
    assert.deepEqual(await stockOf('a1'), { onHand: 5, reserved: 0 });
    assert.equal(await findReservation(sql(), 'o1'), undefined);
    assert.equal((await take('o1', { a1: 2, a2: 1 })).made, true);
    assert.deepEqual(await stockOf('a1'), { onHand: 5, reserved: 2 });
  });

  test('a product without a stock record is short', async () => {
    assert.deepEqual((await take('o-none', { nowhere: 1 })).short, ['nowhere']);
  });

  test('a repeated reservation takes nothing more, also when both come at once', async () => {
    await put('b1', 10);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => take('o2', { b1: 3 })));
    assert.equal(outcomes.filter(({ made }) => made).length, 1);
    assert.deepEqual(await stockOf('b1'), { onHand: 10, reserved: 3 });
  });

  test('a hundred buyers of ten units get exactly ten', async () => {
    await put('hot', 10);
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => take(`race-${n}`, { hot: 1 })));
    assert.equal(outcomes.filter(({ made }) => made).length, 10);
    assert.deepEqual(await stockOf('hot'), { onHand: 10, reserved: 10 });
  });

  test('orders that name the same products in different order do not deadlock', async () => {
    await put('d1', 1000);
    await put('d2', 1000);
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => take(`dead-${n}`, n % 2 === 0 ? { d1: 1, d2: 1 } : { d2: 1, d1: 1 })),
    );
    assert.deepEqual(await stockOf('d1'), { onHand: 1000, reserved: 40 });
  });

  test('a sale takes from the shelf once', async () => {
    await put('c1', 10);
    await take('o3', { c1: 4 });
    const sales = await Promise.all(Array.from({ length: 5 }, () => inTx((tx) => commit(tx, 'o3', NOW))));
    assert.equal(sales.filter(Boolean).length, 1);
    assert.deepEqual(await stockOf('c1'), { onHand: 6, reserved: 0 });
  });

  test('a release gives back once, and a sale after it finds nothing', async () => {
    await put('e1', 10);
    await take('o4', { e1: 4 });
    const order = { orderId: 'o4', id: 'x', low: LOW };
    await Promise.all(Array.from({ length: 5 }, () => free(order, NOW)));
    assert.deepEqual(await stockOf('e1'), { onHand: 10, reserved: 0 });
    assert.equal(await inTx((tx) => commit(tx, 'o4', NOW)), undefined);
  });

  test('a release before the reservation leaves a tombstone', async () => {
    await put('f1', 10);
    await free({ orderId: 'o5', id: 'x', low: LOW }, NOW);
    assert.deepEqual(await take('o5', { f1: 1 }), { short: [], made: false, low: [] });
    assert.deepEqual(await stockOf('f1'), { onHand: 10, reserved: 0 });
    assert.equal((await findReservation(sql(), 'o5'))?.state, 'RELEASED');
  });

  test('what was sold goes back on the shelf once when the order is cancelled', async () => {
    await put('g1', 10);
    await take('o6', { g1: 4 });
    await inTx((tx) => commit(tx, 'o6', NOW));
    await Promise.all(Array.from({ length: 5 }, () => inTx((tx) => giveBack(tx, 'o6', NOW))));
    assert.deepEqual(await stockOf('g1'), { onHand: 10, reserved: 0 });
  });

  test('an expired reservation is given back, and sold all the same while there is stock', async () => {
    await put('h1', 4);
    await take('o7', { h1: 4 }, NOW);
    assert.equal(await inTx((tx) => commit(tx, 'o7', LATER)), undefined);
    const expired = await Promise.all(
      Array.from({ length: 4 }, () => inTx((tx) => expire(tx, LATER, { limit: 10, low: LOW }))),
    );
    assert.equal(expired.flat().filter(({ order_id }) => order_id === 'o7').length, 1);
    assert.deepEqual(await stockOf('h1'), { onHand: 4, reserved: 0 });
    assert.equal((await inTx((tx) => commitExpired(tx, 'o7', LATER)))?.state, 'COMMITTED');
    assert.deepEqual(await stockOf('h1'), { onHand: 0, reserved: 0 });
  });

  test('an expired reservation whose stock was sold is not sold again', async () => {
    await put('i1', 4);
    await take('o8', { i1: 4 }, NOW);
    await inTx((tx) => expire(tx, LATER, { limit: 10, low: LOW }));
    await take('o9', { i1: 1 });
    assert.equal(await inTx((tx) => commitExpired(tx, 'o8', LATER)), undefined);
    assert.deepEqual(await stockOf('i1'), { onHand: 4, reserved: 1 });
  });

  test('at the last pieces, what is given back and taken at the same moment meets no error', async () => {
    await put('last', 6);
    for (let round = 0; round < 40; round++) {
      const order = (n: number) => `last-${round}-${n % 3}`;
      await Promise.all(
        Array.from({ length: 9 }, (_, n) => {
          if (n % 3 === 0) return free({ orderId: order(n - 3), id: 'x', low: LOW }, NOW);
          if (n % 4 === 0) return inTx((tx) => expire(tx, LATER, { limit: 2, low: LOW }));
          return take(order(n + round), { last: 1 + (n % 3) }, NOW);
        }),
      );
      if (round % 8 === 7) await inTx((tx) => expire(tx, LATER, { limit: 100, low: LOW }));
    }
    await inTx((tx) => expire(tx, LATER, { limit: 100, low: LOW }));
    assert.deepEqual(await stockOf('last'), { onHand: 6, reserved: 0 });
  });

  test('low stock is told once per crossing', async () => {
    await put('j1', 6);
    const lows = [];
    for (const n of [1, 2, 3]) lows.push((await take(`low-${n}`, { j1: 1 }, LATER, 4)).low);
    assert.deepEqual(lows, [[], [{ productId: 'j1', available: 4 }], []]);
    await free({ orderId: 'low-3', id: 'x', low: 4 }, NOW);
    await free({ orderId: 'low-2', id: 'x', low: 4 }, NOW);
    assert.deepEqual((await take('low-4', { j1: 1 }, LATER, 4)).low, [{ productId: 'j1', available: 4 }]);
  });

  test('an import leaves products alone that have stock', async () => {
    const columns = { productIds: ['k1', 'k2'], onHand: [3, 4] };
    assert.equal(await importStock(sql(), columns, 'first', NOW), 2);
    assert.equal(await importStock(sql(), { ...columns, onHand: [9, 9] }, 'second', NOW), 0);
    assert.deepEqual(await stockOf('k1'), { onHand: 3, reserved: 0 });
  });

  test('under any interleaving, reserved is what orders hold and the moves explain what is there', async () => {
    const order = fc.integer({ min: 0, max: 7 });
    const command = fc.oneof(
      fc.record({
        do: fc.constant('reserve' as const),
        order,
        lines: fc.dictionary(fc.constantFrom('m1', 'm2'), fc.integer({ min: 1, max: 3 }), { minKeys: 1 }),
      }),
      fc.record({ do: fc.constantFrom('commit', 'release', 'giveBack', 'commitExpired', 'expire'), order }),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
        const name = (n: number) => `p-${run}-${n}`;
        run += 1;
        await Promise.all([put('m1', 6), put('m2', 6)].map((set) => set.catch(() => undefined)));
        for (const round of rounds) {
          await Promise.all(
            round.map((one) => {
              const orderId = name(one.order);
              if (one.do === 'reserve') return take(orderId, (one as { lines: Record<string, number> }).lines, NOW);
              if (one.do === 'commit') return inTx((tx) => commit(tx, orderId, new Date(NOW.getTime() - 1)));
              if (one.do === 'release') return free({ orderId, id: 'x', low: LOW }, NOW);
              if (one.do === 'giveBack') return inTx((tx) => giveBack(tx, orderId, NOW));
              if (one.do === 'commitExpired') return inTx((tx) => commitExpired(tx, orderId, LATER));
              return inTx((tx) => expire(tx, LATER, { limit: 1, low: LOW }));
            }),
          );
        }
        const { rows } = await sql().query<{
          product_id: string;
          reserved: number;
          held: number;
          on_hand: number;
          moved: number;
        }>(`
          select s.product_id, s.reserved, s.on_hand,
            coalesce((select sum(l.q) from reservation r, unnest(r.product_ids, r.quantities) as l(p, q)
                      where r.state = 'RESERVED' and l.p = s.product_id), 0)::int as held,
            (select sum(delta) from stock_move m where m.product_id = s.product_id)::int as moved
          from stock s where s.product_id in ('m1', 'm2')`);
        for (const row of rows) {
          assert.equal(row.reserved, row.held, 'reserved is the sum of what is held');
          assert.equal(row.on_hand, row.moved, 'moves explain the stock');
        }
      }),
      { numRuns: 40 },
    );
  });
});
