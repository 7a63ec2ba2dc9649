import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { type Counted, CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { createInProcessBus, messagingMigrations } from './index.ts';
import { createRelaySlots, SLOTS } from './relay-slots.ts';

const outbox = async (on: TestDatabase) =>
  (await on.db.at(on.ctx).query<{ pos: bigint; slot: number; sends: number }>('SELECT * FROM souk.outbox ORDER BY pos'))
    .rows;

/** Nobody has been heard of for a while. */
const silence = (on: TestDatabase) =>
  on.db.at(on.ctx).query("UPDATE souk.relay_member SET alive_until = clock_timestamp() - interval '1 s'");

const WAITING = `SELECT count(*)::int AS waiting FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%relay-acquire%'`;

/** As the one that has joined last would do it. */
const TAKE_FIRST = `UPDATE souk.relay_lease SET epoch = epoch + 1,
  owner = (SELECT owner FROM souk.relay_member ORDER BY alive_until DESC LIMIT 1) WHERE slot = 0`;

async function world() {
  const on = await testDatabase('slots', [messagingMigrations]);
  const relay = () => createRelaySlots({ db: on.db, runtime: on.runtime, leaseMs: 4000, maxInFlight: 3 });
  return { on, relay, bus: createInProcessBus({ runtime: on.runtime }) };
}

test('each slot goes to one of many that want all', async () => {
  const { on, relay } = await world();
  const relays = Array.from({ length: 6 }, relay);
  await Promise.all(relays.map((one) => one.renew(on.ctx)));
  await Promise.all(relays.map((one) => one.acquire(on.ctx, SLOTS)));
  const all = relays.flatMap((one) => [...one.held.keys()]);
  for (const one of relays) await one.acquire(on.ctx, SLOTS);
  assert.equal(new Set(all).size, all.length, 'no slot twice');
  assert.equal(relays.flatMap((one) => [...one.held.keys()]).length, SLOTS, 'every slot once');
  assert.equal((await relays[0]!.renew(on.ctx)).others, 5);
  await on.close();
});

test('who looks for free slots while another takes one, leaves it to the other', async () => {
  const { on, relay } = await world();
  const { db, ctx } = on;
  const [silent, quick, slow] = [relay(), relay(), relay()] as const;
  await silent.renew(ctx);
  await silent.acquire(ctx, SLOTS);
  await silence(on);
  await slow.renew(ctx);
  let looking: Promise<readonly number[]> | undefined;
  // The row of the one that is silent is locked: the slow one has begun to look, and waits for it.
  await db.tx(ctx, async (tx) => {
    await tx.query('SELECT FROM souk.relay_member WHERE alive_until < clock_timestamp() FOR UPDATE');
    looking = slow.acquire(ctx, SLOTS);
    await until('the slow one looks', async () => {
      const { rows } = await db.at(ctx).query<{ waiting: number }>(WAITING);
      return rows[0]?.waiting === 1;
    });
    await quick.renew(ctx);
    await db.at(ctx).query(TAKE_FIRST);
  });
  assert.equal((await looking)?.length, SLOTS - 1);
  assert.equal(slow.held.has(0), false);
  await on.close();
});

test('who was taken for dead removes nothing, and finds out at its next look', async () => {
  const { on, relay, bus } = await world();
  const service = testService({ on, bus });
  await publishCounted(on, service, 'k', 1);
  const [row] = await outbox(on);
  const old = relay();
  const next = relay();
  await old.renew(on.ctx);
  await old.acquire(on.ctx, SLOTS);
  await silence(on);
  await next.renew(on.ctx);
  assert.equal((await next.acquire(on.ctx, SLOTS)).length, SLOTS);
  await old.remove(on.ctx, [row!.pos]);
  assert.equal((await outbox(on)).length, 1, 'not his to remove');
  await old.release(on.ctx, [0, 1, 2]);
  const view = await old.renew(on.ctx);
  assert.equal(view.lost.length, SLOTS - 3);
  assert.equal(view.free, 0, 'a release by the old one changes nothing');
  await next.remove(on.ctx, [row!.pos]);
  assert.deepEqual(await outbox(on), []);
  await on.close();
});

test('a silent holder loses nothing while nobody else is there', async () => {
  const { on, relay } = await world();
  const one = relay();
  await one.renew(on.ctx);
  await one.acquire(on.ctx, SLOTS);
  await silence(on);
  assert.deepEqual((await one.renew(on.ctx)).lost, []);
  assert.equal(one.held.size, SLOTS);
  await on.close();
});

test('rows of one who died count a send, and those of one who let go do not', async () => {
  const { on, relay, bus } = await world();
  const service = testService({ on, bus });
  for (const number of [1, 2, 3, 4, 5]) await publishCounted(on, service, 'k', number);
  const first = relay();
  await first.renew(on.ctx);
  await first.acquire(on.ctx, SLOTS);
  await first.release(on.ctx, [...first.held.keys()]);
  await first.leave(on.ctx);
  const second = relay();
  await second.renew(on.ctx);
  await second.acquire(on.ctx, SLOTS);
  assert.deepEqual(
    (await outbox(on)).map(({ sends }) => sends),
    [0, 0, 0, 0, 0],
  );
  await silence(on);
  const third = relay();
  await third.renew(on.ctx);
  await third.acquire(on.ctx, SLOTS);
  assert.deepEqual(
    (await outbox(on)).map(({ sends }) => sends),
    [1, 1, 1, 0, 0],
    'no more than it can have had in flight',
  );
  await on.close();
});

test('a relay takes over from one that died, and stops sending what it lost', async () => {
  const { on, bus } = await world();
  await on.db.at(on.ctx).query(
    `WITH dead AS (INSERT INTO souk.relay_member VALUES (gen_random_uuid(), clock_timestamp() + interval '300 ms') RETURNING owner)
       UPDATE souk.relay_lease SET owner = (SELECT owner FROM dead), epoch = 7`,
  );
  const heard: number[] = [];
  const service = testService({
    on,
    bus,
    options: { leaseMs: 2000 },
    subscriptions: [
      { schema: CountedSchema, ordered: true, handle: async (_ctx, event) => heard.push((event as Counted).number) },
    ],
  });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  assert.equal(service.health().relay, 'standby');
  await until('a takeover', () => heard.length === 1);
  await until('an empty outbox', async () => (await outbox(on)).length === 0);
  assert.equal(service.health().relay, 'leading');
  await on.db.at(on.ctx).query(
    `WITH thief AS (INSERT INTO souk.relay_member VALUES (gen_random_uuid(), clock_timestamp() + interval '1 h') RETURNING owner)
       UPDATE souk.relay_lease SET owner = (SELECT owner FROM thief), epoch = epoch + 1`,
  );
  await until('a step down', () => service.health().relay === 'standby');
  await publishCounted(on, service, 'k', 2);
  await on.runtime.timers.sleep(100);
  assert.deepEqual(heard, [1]);
  assert.equal((await outbox(on)).length, 1);
  await service.stop();
  await on.close();
});

const share = async (on: TestDatabase): Promise<number[]> =>
  (
    await on.db
      .at(on.ctx)
      .query<{ n: number }>('SELECT count(*)::int AS n FROM souk.relay_lease GROUP BY owner ORDER BY n')
  ).rows.map(({ n }) => n);

test('processes share the slots evenly, and the last one gets all back', async () => {
  const { on, bus } = await world();
  const services = [1, 2, 3].map(() => testService({ on, bus, options: { leaseMs: 1200 } }));
  await services[0]!.start();
  await until('all', async () => (await share(on)).join() === '16');
  await services[1]!.start();
  await until('halves', async () => (await share(on)).join() === '8,8');
  await services[2]!.start();
  await until('thirds', async () => (await share(on)).join() === '4,6,6');
  await services[0]!.stop();
  await services[2]!.stop();
  await until('all again', async () => (await share(on)).join() === '16');
  assert.equal(services[1]!.health().relay, 'leading');
  await services[1]!.stop();
  await on.close();
});
