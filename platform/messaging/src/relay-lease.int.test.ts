import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { type Counted, CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { createInProcessBus, messagingMigrations } from './index.ts';
import { createRelayLease } from './relay-lease.ts';

const outbox = async (on: TestDatabase): Promise<bigint[]> =>
  (await on.db.at(on.ctx).query<{ pos: bigint }>('SELECT pos FROM souk.outbox ORDER BY pos')).rows.map(
    ({ pos }) => pos,
  );

const expire = (on: TestDatabase) =>
  on.db.at(on.ctx).query("UPDATE souk.relay_lease SET lease_until = clock_timestamp() - interval '1 s'");

async function world() {
  const on = await testDatabase('lease', [messagingMigrations]);
  const lease = () => createRelayLease({ db: on.db, runtime: on.runtime, leaseMs: 4000 });
  return { on, lease, bus: createInProcessBus({ runtime: on.runtime }) };
}

test('one of many has the lease', async () => {
  const { on, lease } = await world();
  const got = await Promise.all(Array.from({ length: 8 }, () => lease().acquire(on.ctx)));
  assert.equal(got.filter(Boolean).length, 1);
  await on.close();
});

test('who lost the lease removes nothing', async () => {
  const { on, lease, bus } = await world();
  const service = testService({ on, bus });
  await publishCounted(on, service, 'k', 1);
  const [pos] = await outbox(on);
  const old = lease();
  const next = lease();
  assert.ok(await old.acquire(on.ctx));
  await expire(on);
  assert.ok(await next.acquire(on.ctx));
  assert.equal(await old.renew(on.ctx, [pos!]), false);
  assert.equal(old.held, false);
  assert.deepEqual(await outbox(on), [pos]);
  await old.release(on.ctx);
  assert.ok(await next.renew(on.ctx, [pos!]), 'a release by the old one changes nothing');
  assert.deepEqual(await outbox(on), []);
  await on.close();
});

test('a lease that is let go of is free at once', async () => {
  const { on, lease } = await world();
  const first = lease();
  assert.ok(await first.acquire(on.ctx));
  assert.equal(await lease().acquire(on.ctx), false);
  await first.release(on.ctx);
  assert.ok(await lease().acquire(on.ctx));
  await on.close();
});

test('a relay takes over from one that died, and one that lost its lease stops sending', async () => {
  const { on, bus } = await world();
  await on.db
    .at(on.ctx)
    .query(
      `INSERT INTO souk.relay_lease (owner, epoch, lease_until) VALUES (gen_random_uuid(), 7, clock_timestamp() + interval '300 ms')`,
    );
  const heard: number[] = [];
  const service = testService({
    on,
    bus,
    options: { leaseMs: 3000 },
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
  await on.db
    .at(on.ctx)
    .query(
      `UPDATE souk.relay_lease SET owner = gen_random_uuid(), epoch = epoch + 1, lease_until = clock_timestamp() + interval '1 h'`,
    );
  await until('a step down', () => service.health().relay === 'standby');
  await publishCounted(on, service, 'k', 2);
  await on.runtime.timers.sleep(100);
  assert.deepEqual(heard, [1]);
  assert.equal((await outbox(on)).length, 1);
  await service.stop();
  await on.close();
});
