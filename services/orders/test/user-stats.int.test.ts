import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Order_Status } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import fc from 'fast-check';
import type { TestDatabase } from '../../../tests/support/database.ts';
import { confirmOrder } from '../src/usecases/confirm-order.ts';
import { rejectOrder } from '../src/usecases/reject-order.ts';
import { newDatabase, type OrdersWorld, ordersWorld, userId } from './world.ts';

const PAYMENT = 'pay_01890000-0000-7000-8000-000000000007';
const STATS = 'user-stats';

describe('figures of users', () => {
  let database: TestDatabase;
  let world: OrdersWorld;
  let next = 100;
  before(async () => {
    database = await newDatabase();
    world = await ordersWorld({ database, settings: { maxConsistencyWait: 10_000 } });
    await world.runProjections();
  });
  after(async () => {
    await world.close();
    await database.close();
  });

  const ownerOf = (ctx: Context): string => ctx.caller.userId as string;
  const positionOf = async (ctx: Context, id: string): Promise<string> =>
    (await world.orders.getOrder(ctx, { id })).position;

  test('count every order and sum what was confirmed and not cancelled, by currency', async () => {
    const reader = world.user(userId(next++));
    const none = await world.orders.getUserStats(reader, { userId: ownerOf(reader) });
    assert.deepEqual([none.orders, none.spent, none.lastOrderAt], [0, [], undefined]);
    const ids: string[] = [];
    for (const currency of ['EUR', 'EUR', 'JPY', 'EUR', 'EUR']) ids.push((await world.place(reader, { currency })).id);
    for (const id of ids.slice(0, 3)) await confirmOrder(database.ctx, world.deps, id, PAYMENT);
    await world.orders.cancelOrder(reader, { id: ids[1] as string });
    await rejectOrder(database.ctx, world.deps, ids[3] as string, 'OUT_OF_STOCK');
    await world.orders.updateOrderStatus(world.admin, { id: ids[0] as string, status: Order_Status.SHIPPED });
    const consistency = await positionOf(reader, ids[0] as string);
    const stats = await world.orders.getUserStats(reader, { userId: ownerOf(reader), consistency });
    assert.deepEqual([stats.orders, stats.confirmed, stats.rejected, stats.cancelled], [5, 2, 1, 1]);
    assert.deepEqual(
      stats.spent.map(({ currency, minorUnits }) => `${currency} ${minorUnits}`),
      ['EUR 400', 'JPY 400'],
    );
    assert.deepEqual(stats.lastOrderAt, (await world.orders.getOrder(reader, { id: ids[4] as string })).createdAt);
  });

  test('show at once what the answer of a write named', async () => {
    const reader = world.user(userId(next++));
    const figures = async (consistency: string) => {
      const { orders, confirmed, cancelled } = await world.orders.getUserStats(reader, {
        userId: ownerOf(reader),
        consistency,
      });
      return [orders, confirmed, cancelled];
    };
    for (let turn = 1; turn <= 10; turn++) {
      const placed = await world.place(reader);
      assert.deepEqual(await figures(placed.position), [turn, 0, turn - 1]);
      await confirmOrder(database.ctx, world.deps, placed.id, PAYMENT);
      assert.deepEqual(await figures(await positionOf(reader, placed.id)), [turn, 1, turn - 1]);
      const cancelled = await world.orders.cancelOrder(reader, { id: placed.id });
      assert.notEqual(cancelled.position, placed.position);
      assert.deepEqual(await figures(cancelled.position), [turn, 0, turn]);
      // What was asked for is already so: the position of when it became so.
      assert.equal((await world.orders.cancelOrder(reader, { id: placed.id })).position, cancelled.position);
    }
  });

  test('the same request and key are told the same position', async () => {
    const reader = world.user(userId(next++));
    const first = await world.place(reader, {}, 'one key');
    const again = await world.place(reader, {}, 'one key');
    assert.equal(again.position, first.position);
    assert.equal(await positionOf(reader, first.id), first.position);
  });

  test('a position that is none is refused', async () => {
    const reader = world.user(userId(next++));
    await assert.rejects(world.orders.getUserStats(reader, { userId: ownerOf(reader), consistency: 'yesterday' }), {
      code: 'invalid_argument',
      reason: 'EVENTSTORE_POSITION_INVALID',
    });
  });

  test('are what all orders come to, after any changes at once, also when they are made anew meanwhile', async () => {
    const readers = Array.from({ length: 3 }, () => world.user(userId(next++)));
    const change = fc.record({
      reader: fc.nat(2),
      ends: fc.constantFrom('placed', 'confirmed', 'rejected', 'cancelled', 'confirmed and cancelled'),
      currency: fc.constantFrom('EUR', 'JPY'),
    });
    const carryOut = async ({ reader: number, ends, currency }: { reader: number; ends: string; currency: string }) => {
      const reader = readers[number] as Context;
      const { id } = await world.place(reader, { currency });
      if (ends.startsWith('confirmed')) await confirmOrder(database.ctx, world.deps, id, PAYMENT);
      if (ends === 'rejected') await rejectOrder(database.ctx, world.deps, id, 'OUT_OF_STOCK');
      if (ends.endsWith('cancelled')) await world.orders.cancelOrder(reader, { id });
    };
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 3 }), async (rounds) => {
        const rebuilding = round++ % 4 === 0 ? world.projections.rebuild(database.ctx, STATS, WHY) : undefined;
        for (const changes of rounds) await Promise.all(changes.map(carryOut));
        await rebuilding;
        const last = await world.deps.eventStore.headPosition(world.sql);
        await world.projections.waitFor(database.ctx, STATS, last, 10_000);
        assert.deepEqual(await statsRows(), await foldedRows());
      }),
      { numRuns: 12 },
    );
  });
  const WHY = { actor: 'ann', reason: 'test' };

  const statsRows = async () =>
    (
      await world.sql.query(
        'select user_id, currency, orders, confirmed, rejected, cancelled, spent_minor::text as spent, last_order_at from user_stats order by user_id, currency',
      )
    ).rows;

  /** From the view that is written with the events. */
  const foldedRows = async () =>
    (
      await world.sql.query(`
        select user_id, currency, count(*)::int as orders,
          (count(*) filter (where status in ('CONFIRMED', 'SHIPPED', 'DELIVERED')))::int as confirmed,
          (count(*) filter (where status = 'REJECTED'))::int as rejected,
          (count(*) filter (where status = 'CANCELLED'))::int as cancelled,
          coalesce(sum(total_minor) filter (where status in ('CONFIRMED', 'SHIPPED', 'DELIVERED')), 0)::text as spent,
          max(created_at) as last_order_at
        from order_view group by user_id, currency order by user_id, currency`)
    ).rows;
});

test('figures that are too far behind say so when the time is over, and are shown to who does not ask for more', async () => {
  const database = await newDatabase();
  const world = await ordersWorld({ database, settings: { maxConsistencyWait: 50 } });
  const reader = world.user(userId(1));
  const { position } = await world.place(reader);
  const request = { userId: userId(1) };
  await assert.rejects(world.orders.getUserStats(reader, { ...request, consistency: position }), {
    code: 'unavailable',
    reason: 'PROJECTION_BEHIND',
  });
  assert.equal((await world.orders.getUserStats(reader, request)).orders, 0);
  await world.close();
  await database.close();
});
