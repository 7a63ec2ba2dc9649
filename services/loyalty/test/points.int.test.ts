import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LoyaltyService, PointsEntry_Reason } from '@souk/contracts/loyalty/v1/loyalty';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import { createServiceWorld, migrationsOf } from '@souk/testkit';
import fc from 'fast-check';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { loyalty } from '../src/service.ts';

const uuid = (n: number) => `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const userId = (n: number) => `usr_${uuid(n)}`;
const orderId = (n: number) => `ord_${uuid(n)}`;
const euros = (whole: number) => ({ currency: 'EUR', minorUnits: BigInt(whole) * 100n });

const start = async (database: TestDatabase) => {
  const { db, runtime } = database;
  const world = await createServiceWorld(loyalty, { db, runtime });
  return { ...world, points: world.client(LoyaltyService), system: world.service('orders') };
};

describe('points', () => {
  let database: TestDatabase;
  let world: Awaited<ReturnType<typeof start>>;
  before(async () => {
    database = await testDatabase('loyalty', migrationsOf(loyalty));
    world = await start(database);
  });
  after(() => database.close());

  const balance = async (user: string) => {
    const page = await world.points.getPoints(world.user(user), { userId: user, pageSize: 100 });
    const sum = page.entries.reduce((all, { points }) => all + points, 0);
    assert.equal(page.balance, sum, 'the balance is the sum of the entries');
    return page.balance;
  };
  const publishedFor = async (order: string) =>
    (await world.published())
      .filter(({ event }) => event.orderId === order)
      .map(({ schema, event }) => [schema.split('.').at(-1), event.points, event.balance]);

  test('twenty equal awards at once give points once', async () => {
    const request = { orderId: orderId(1), userId: userId(1), amount: euros(19) };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => world.points.awardPoints(world.system, request)),
    );
    assert.deepEqual([...new Set(answers.map(({ points }) => points))], [19]);
    assert.equal(await balance(userId(1)), 19);
    assert.deepEqual(await publishedFor(orderId(1)), [['PointsAwarded', 19, 19]]);
  });

  test('twenty equal reversals at once take points once, and tell how many', async () => {
    await world.points.awardPoints(world.system, { orderId: orderId(2), userId: userId(2), amount: euros(30) });
    const request = { orderId: orderId(2) };
    await Promise.all(Array.from({ length: 20 }, () => world.points.reversePoints(world.system, request)));
    const again = await world.points.reversePoints(world.system, request);
    assert.deepEqual([again.userId, again.points, again.balance], [userId(2), 0, 0]);
    assert.equal(await balance(userId(2)), 0);
    assert.deepEqual(await publishedFor(orderId(2)), [
      ['PointsAwarded', 30, 30],
      ['PointsReversed', 30, 0],
    ]);
  });

  test('an order that was cancelled first earns nothing', async () => {
    const event = { orderId: orderId(3), userId: userId(3) };
    await world.hear(OrderCancelledSchema, event, 'cancelled');
    await world.hear(OrderCancelledSchema, event, 'cancelled');
    await world.hear(OrderCancelledSchema, event, 'cancelled once more');
    const late = await world.points.awardPoints(world.system, { ...event, amount: euros(5) });
    assert.deepEqual([late.points, late.balance], [0, 0]);
    assert.deepEqual(await publishedFor(orderId(3)), []);
  });

  test('an award after a reversal does not bring points back', async () => {
    const request = { orderId: orderId(4), userId: userId(4), amount: euros(5) };
    await world.points.awardPoints(world.system, request);
    await world.hear(OrderCancelledSchema, { orderId: orderId(4), userId: userId(4) });
    assert.deepEqual((await world.points.awardPoints(world.system, request)).points, 0);
    assert.equal(await balance(userId(4)), 0);
  });

  test('an order worth nothing is remembered, and its reversal takes nothing', async () => {
    const request = { orderId: orderId(5), userId: userId(5), amount: { currency: 'EUR', minorUnits: 0n } };
    assert.equal((await world.points.awardPoints(world.system, request)).points, 0);
    await world.points.reversePoints(world.system, { orderId: orderId(5) });
    assert.equal(await balance(userId(5)), 0);
  });

  test('awards and reversals in any order, at once: an order counts once or not at all', async () => {
    let run = 100;
    const command = fc.record({ order: fc.integer({ min: 0, max: 2 }), award: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { maxLength: 5 }), { maxLength: 4 }), async (rounds) => {
        const user = userId(run);
        const order = (n: number) => orderId(run * 10 + n);
        run += 1;
        const reversed = new Set<number>();
        const awarded = new Set<number>();
        for (const round of rounds) {
          await Promise.all(
            round.map(({ order: n, award }) =>
              award
                ? world.points.awardPoints(world.system, { orderId: order(n), userId: user, amount: euros(7) })
                : world.points.reversePoints(world.system, { orderId: order(n) }),
            ),
          );
          for (const { order: n, award } of round) (award ? awarded : reversed).add(n);
        }
        const expected = [...awarded].filter((n) => !reversed.has(n)).length * 7;
        assert.equal(await balance(user), expected);
      }),
      { numRuns: 20 },
    );
  });

  test('pages hold every entry once, newest first, with reasons', async () => {
    const user = userId(6);
    for (const n of [61, 62, 63]) {
      await world.points.awardPoints(world.system, { orderId: orderId(n), userId: user, amount: euros(n) });
    }
    await world.points.reversePoints(world.system, { orderId: orderId(61) });
    const seen: unknown[] = [];
    let pageToken = '';
    do {
      const page = await world.points.getPoints(world.user(user), { userId: user, pageSize: 3, pageToken });
      seen.push(...page.entries.map(({ points, reason }) => [points, PointsEntry_Reason[reason]]));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    assert.deepEqual(seen, [
      [-61, 'REVERSED'],
      [63, 'EARNED'],
      [62, 'EARNED'],
      [61, 'EARNED'],
    ]);
  });

  test('foreign points are refused, and only services award', async () => {
    const stranger = world.user(userId(9));
    await assert.rejects(world.points.getPoints(stranger, { userId: userId(1) }), { code: 'permission_denied' });
    const award = { orderId: orderId(9), userId: userId(9), amount: euros(1_000) };
    for (const ctx of [stranger, world.admin]) {
      await assert.rejects(world.points.awardPoints(ctx, award), { code: 'permission_denied' });
    }
    assert.equal((await world.points.getPoints(world.admin, { userId: userId(9) })).balance, 0);
  });

  test('a page token that was made up is refused', async () => {
    const sealed = (...parts: string[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    for (const pageToken of [sealed(`points of ${userId(1)}`, 'x'), sealed(`points of ${userId(2)}`, '1'), '?']) {
      const request = { userId: userId(1), pageToken };
      await assert.rejects(world.points.getPoints(world.user(userId(1)), request), {
        reason: 'SERVICE_PAGE_TOKEN_INVALID',
      });
    }
  });

  test('entries cannot be changed', async () => {
    const sql = database.db.at(database.ctx);
    await assert.rejects(sql.query('update points_entry set points = 1'));
    await assert.rejects(sql.query('delete from points_entry'));
  });
});
