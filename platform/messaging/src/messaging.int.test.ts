import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, hasReason } from '@souk/kernel';
import type { Database } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { type Closed, ClosedSchema, type Counted, CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { createInProcessBus, type Delivery, messagingMigrations, type ServiceSubscription } from './index.ts';

const errors = defineErrors('BAZAAR', {
  REFUSED: { code: 'failed_precondition', text: 'this will never work' },
  BUSY: { code: 'unavailable', text: 'not now', retry: 'later' },
});

const EFFECTS = {
  id: 'bazaar/0001-effects',
  sql: 'CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, key text, number int)',
};

async function world(options: { poolSize?: number } = {}) {
  const on = await testDatabase('messaging', [messagingMigrations, [EFFECTS]], options);
  return { on, bus: createInProcessBus({ runtime: on.runtime }) };
}

const count = async (on: TestDatabase, table: string): Promise<number> =>
  Number((await on.db.at(on.ctx).query<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]?.n);

const effects = async (on: TestDatabase) =>
  (await on.db.at(on.ctx).query<{ key: string; number: number }>('SELECT key, number FROM effect ORDER BY n')).rows;

const record = (delivery: Delivery, { key, number }: { key: string; number: number }) =>
  delivery.once((tx) => tx.query('INSERT INTO effect (key, number) VALUES ($1, $2)', [key, number]));

const counted = (
  handle: (event: Counted, delivery: Delivery) => Promise<unknown>,
  ordered = true,
): ServiceSubscription => ({
  schema: CountedSchema,
  ordered,
  handle: (_ctx, event, delivery) => handle(event as Counted, delivery),
});

const closed = (handle: (event: Closed, delivery: Delivery) => Promise<unknown>): ServiceSubscription => ({
  schema: ClosedSchema,
  ordered: true,
  handle: (_ctx, event, delivery) => handle(event as Closed, delivery),
});

test('with 16 writers on 20 hot keys and rollbacks nothing is lost, doubled or reordered', async () => {
  const { on, bus } = await world({ poolSize: 24 });
  await on.db.at(on.ctx).query('CREATE TABLE hot (key text PRIMARY KEY, version int NOT NULL)');
  for (let key = 0; key < 20; key++) await on.db.at(on.ctx).query('INSERT INTO hot VALUES ($1, 0)', [`k${key}`]);
  const heard = new Map<string, number[]>();
  const service = testService({
    on,
    bus,
    subscriptions: [
      counted(async ({ key, number }) => {
        heard.set(key, [...(heard.get(key) ?? []), number]);
      }),
    ],
  });
  await service.start();
  let committed = 0;
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const key = `k${(writer * 7 + round * 13) % 20}`;
      const rollBack = (writer + round) % 19 === 0;
      const attempt = on.db.tx(on.ctx, async (tx) => {
        // A write before the lock gives the transaction its id early, so that order of ids and order of events differ.
        await tx.query('SELECT pg_current_xact_id()');
        const { rows } = await tx.query<{ version: number }>(
          'UPDATE hot SET version = version + 1 WHERE key = $1 RETURNING version',
          [key],
        );
        await service.publisher.publish(tx, CountedSchema, { key, number: rows[0]!.version });
        await tx.query('SELECT pg_sleep($1)', [((writer * round) % 5) / 1000]);
        if (rollBack) throw errors.REFUSED();
      });
      if (rollBack) await assert.rejects(attempt);
      else {
        await attempt;
        committed++;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  assert.equal([...heard.values()].flat().length, committed);
  for (const [key, numbers] of heard) {
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      `order of ${key}`,
    );
  }
  await service.stop();
  await on.close();
});

test('a duplicate delivery has one effect', async () => {
  const { on, bus } = await world();
  let deliveries = 0;
  const service = testService({
    on,
    bus,
    subscriptions: [
      counted(async (event, delivery) => {
        deliveries++;
        await record(delivery, event);
      }),
    ],
  });
  await service.start();
  const envelope = {
    id: on.runtime.ids.uuid(),
    source: '/souk/other',
    type: 'bazaar.counted.v1',
    schema: 'bazaar.v1.Counted',
    key: 'k',
    time: '2026-01-01T00:00:00.000Z',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    causationId: undefined,
    data: Uint8Array.from([0x0a, 1, 0x6b, 0x10, 7]),
  };
  await Promise.all([bus.publish([envelope]), bus.publish([envelope])]);
  await bus.publish([envelope]);
  assert.equal(deliveries, 3);
  assert.deepEqual(await effects(on), [{ key: 'k', number: 7 }]);
  await service.stop();
  await on.close();
});

test('an event that can never be handled becomes a dead letter, and those behind it go on', async () => {
  const { on, bus } = await world();
  const service = testService({
    on,
    bus,
    subscriptions: [
      counted(async (event, delivery) => {
        if (event.number === 2) throw errors.REFUSED();
        await record(delivery, event);
      }),
    ],
  });
  await service.start();
  for (const number of [1, 2, 3]) await publishCounted(on, service, 'k', number);
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  assert.deepEqual(
    (await effects(on)).map(({ number }) => number),
    [1, 3],
  );
  const { rows } = await on.db.at(on.ctx).query<Record<string, unknown>>('SELECT * FROM souk.dead_letter');
  assert.equal(rows.length, 1);
  assert.equal(rows[0]!.reason, 'BAZAAR_REFUSED');
  assert.equal(rows[0]!.type, 'bazaar.counted.v1');
  assert.equal((rows[0]!.attempts as unknown[]).length, 1);
  assert.equal((rows[0]!.envelope as { partitionkey: string }).partitionkey, 'k');
  await until('a count of dead letters', () => service.health().dead === 1);
  await service.stop();
  await on.close();
});

test('bytes that are no event become a dead letter', async () => {
  const { on, bus } = await world();
  const service = testService({ on, bus, subscriptions: [counted(async () => {})] });
  await service.start();
  await bus.publish([
    {
      id: on.runtime.ids.uuid(),
      source: '/souk/other',
      type: 'bazaar.counted.v1',
      schema: 'bazaar.v1.Counted',
      key: 'k',
      time: '2026-01-01T00:00:00.000Z',
      traceparent: 'none',
      causationId: undefined,
      data: Uint8Array.from([0xff, 0xff, 0xff]),
    },
  ]);
  const { rows } = await on.db.at(on.ctx).query<{ reason: string }>('SELECT reason FROM souk.dead_letter');
  assert.equal(rows.at(-1)?.reason, 'MESSAGING_UNDECODABLE_EVENT');
  await service.stop();
  await on.close();
});

test('a failing event is put aside and later ones of its key wait behind it, whatever their type', async () => {
  const { on, bus } = await world();
  let isBroken = true;
  const service = testService({
    on,
    bus,
    subscriptions: [
      counted(async (event, delivery) => {
        if (isBroken && event.key === 'broken') throw errors.BUSY({}, { afterMs: 600 });
        await record(delivery, event);
      }),
      closed((event, delivery) => record(delivery, event)),
    ],
  });
  await service.start();
  await publishCounted(on, service, 'broken', 1);
  await publishCounted(on, service, 'broken', 2);
  await on.db.tx(on.ctx, (tx) => service.publisher.publish(tx, ClosedSchema, { key: 'broken', number: 3 }));
  await publishCounted(on, service, 'well', 1);
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  assert.deepEqual(await effects(on), [{ key: 'well', number: 1 }]);
  assert.equal(await count(on, "souk.retry WHERE available_at = 'infinity'"), 2);
  isBroken = false;
  await until('no retries', async () => (await count(on, 'souk.retry')) === 0);
  assert.deepEqual(
    (await effects(on)).map(({ key, number }) => `${key} ${number}`),
    ['well 1', 'broken 1', 'broken 2', 'broken 3'],
  );
  await service.stop();
  await on.close();
});

test('inside once an event does not pass one of its key that another process has put aside', async () => {
  const { on, bus } = await world();
  let entered = 0;
  const service = testService({
    on,
    bus,
    options: { pollMs: 60_000 },
    subscriptions: [
      counted(async (event, delivery) => {
        entered++;
        await record(delivery, event);
      }),
    ],
  });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  await until('the first', async () => (await effects(on)).length === 1);
  await on.db
    .at(on.ctx)
    .query(
      `INSERT INTO souk.retry (consumer, key, available_at, envelope) VALUES ('bazaar', '/souk/bazaar#k', now() + interval '1 h', '{}')`,
    );
  await publishCounted(on, service, 'k', 2);
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  assert.equal(entered, 2);
  assert.equal((await effects(on)).length, 1);
  assert.equal(await count(on, "souk.retry WHERE available_at = 'infinity'"), 1);
  await service.stop();
  await on.close();
});

test('a delayed attempt that took the process with it is counted, and in the end the event is dead', async () => {
  const { on, bus } = await world();
  const service = testService({ on, bus, subscriptions: [counted(async () => assert.fail('must not run'))] });
  const json = JSON.stringify({
    id: 'a',
    source: '/souk/x',
    type: 'bazaar.counted.v1',
    partitionkey: 'k',
    data_base64: '',
  });
  await on.db.at(on.ctx).query(
    `INSERT INTO souk.retry (consumer, key, state, available_at, attempts, locked_until, envelope)
     VALUES ('bazaar', '/souk/x#k', 'running', now(), 6, now() - interval '1 s', $1)`,
    [json],
  );
  await service.start();
  await until('a dead letter', async () => (await count(on, 'souk.dead_letter')) === 1);
  assert.equal(await count(on, 'souk.retry'), 0);
  await service.stop();
  await on.close();
});

test('a delayed attempt whose end cannot be written down while the database is away is not counted as lost', async () => {
  const { on, bus } = await world();
  let refusals = 0;
  let ends = 0;
  const refuse = <T>(text: string, go: () => Promise<T>): Promise<T> => {
    if (!/retry-(finish|postpone)/.test(text)) return go();
    ends++;
    return refusals-- > 0 ? Promise.reject(errors.BUSY()) : go();
  };
  const { db } = on;
  const flaky: Database = {
    name: db.name,
    at: (ctx) => {
      const sql = db.at(ctx);
      return { query: (text, values) => refuse(text, () => sql.query(text, values)) };
    },
    tx: (ctx, work) =>
      db.tx(ctx, (tx) =>
        work({
          ctx: tx.ctx,
          query: (text, values) => refuse(text, () => tx.query(text, values)),
          defer: (text, values) => tx.defer(text, values),
          script: (text) => tx.script(text),
          afterCommit: (run) => tx.afterCommit(run),
        }),
      ),
    listen: (channel, handlers) => db.listen(channel, handlers),
    close: async () => {},
  };
  let runs = 0;
  const service = testService({
    on: { ...on, db: flaky },
    bus,
    subscriptions: [
      counted(async (event, delivery) => {
        refusals = 3;
        if (++runs < 4) throw errors.BUSY({}, { afterMs: runs === 1 ? 0 : 510 });
        await record(delivery, event);
      }),
    ],
  });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  const postponed = "souk.retry WHERE state = 'waiting' AND attempts = 1 AND lost = 0";
  await until('it waits again', async () => (await count(on, postponed)) === 1);
  assert.deepEqual([runs, ends], [3, 4], 'written down at the fourth try');
  await db.at(on.ctx).query('UPDATE souk.retry SET available_at = now()');
  await until('its end is written down', async () => (await count(on, 'souk.retry')) === 0);
  assert.deepEqual([runs, ends], [4, 8], 'done once');
  assert.equal((await effects(on)).length, 1);
  await service.stop();
  await on.close();
});

test('after a stop in the middle the next process goes on, in order and with nothing lost or doubled', async () => {
  const { on } = await world();
  const subscriptions = [
    counted(async (event, delivery) => {
      await on.db.at(on.ctx).query('SELECT pg_sleep(0.002)');
      await record(delivery, event);
    }),
  ];
  const first = testService({ on, bus: createInProcessBus({ runtime: on.runtime }), subscriptions });
  await first.start();
  for (let number = 1; number <= 40; number++) {
    await on.db.tx(on.ctx, async (tx) => {
      for (const key of ['a', 'b', 'c']) await first.publisher.publish(tx, CountedSchema, { key, number });
    });
  }
  await first.stop();
  assert.ok((await count(on, 'souk.outbox')) > 0, 'something is left for the next');
  const second = testService({ on, bus: createInProcessBus({ runtime: on.runtime }), subscriptions });
  await second.start();
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  for (const key of ['a', 'b', 'c']) {
    const numbers = (await effects(on)).filter((effect) => effect.key === key).map(({ number }) => number);
    assert.deepEqual(
      numbers,
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  }
  await second.stop();
  await on.close();
});

test('events of a service that is not up yet wait for it', async () => {
  const { on, bus } = await world();
  const other = await testDatabase('listener', [messagingMigrations, [EFFECTS]]);
  const service = testService({ on, bus });
  const listener = testService({
    on: other,
    bus,
    service: 'listener',
    publishes: [],
    subscriptions: [counted((event, delivery) => record(delivery, event))],
  });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  assert.equal(await count(on, 'souk.outbox'), 1);
  await listener.start();
  await until('an empty outbox', async () => (await count(on, 'souk.outbox')) === 0);
  assert.equal((await effects(other)).length, 1);
  await listener.stop();
  await publishCounted(on, service, 'k', 2);
  await service.stop();
  assert.equal(await count(on, 'souk.outbox'), 1, 'kept for the listener');
  await on.close();
  await other.close();
});

test('what a handler publishes names its cause, and is gone with a failed attempt', async () => {
  const { on, bus } = await world();
  const causes: (string | undefined)[] = [];
  let firstId: string | undefined;
  let failures = 1;
  const service = testService({
    on,
    bus,
    subscriptions: [
      counted(async (event, delivery) => {
        firstId = delivery.envelope.id;
        await delivery.once(async (tx) => {
          await service.publisher.publish(tx, ClosedSchema, { key: event.key, number: event.number });
          if (failures-- > 0) throw errors.BUSY();
        });
      }),
      closed(async (_event, delivery) => {
        causes.push(delivery.envelope.causationId);
      }),
    ],
  });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  await until('the consequence', () => causes.length > 0);
  assert.deepEqual(causes, [firstId]);
  await service.stop();
  await on.close();
});

test('an event that was not declared, or breaks its contract, is refused before it is written', async () => {
  const { on, bus } = await world();
  const service = testService({ on, bus, publishes: [CountedSchema] });
  const publish = (schema: typeof CountedSchema, key: string) =>
    on.db.tx(on.ctx, (tx) => service.publisher.publish(tx, schema, { key }));
  await assert.rejects(publish(ClosedSchema as never, 'k'), (error) => hasReason(error, 'MESSAGING_UNDECLARED_EVENT'));
  await assert.rejects(publish(CountedSchema, ''), (error) => hasReason(error, 'MESSAGING_INVALID_EVENT'));
  await assert.rejects(publish(CountedSchema, 'x'.repeat(21)), (error) => hasReason(error, 'MESSAGING_INVALID_EVENT'));
  assert.equal(await count(on, 'souk.outbox'), 0);
  await on.close();
});

test('a service that says and hears nothing needs no tables', async () => {
  const on = await testDatabase('silent');
  const service = testService({ on, bus: createInProcessBus({ runtime: on.runtime }), publishes: [] });
  await service.start();
  assert.equal(service.health().relay, 'none');
  await service.stop();
  await on.close();
});

test('the inbox forgets what is older than its retention', async () => {
  const { on, bus } = await world();
  await on.db
    .at(on.ctx)
    .query(
      `INSERT INTO souk.inbox SELECT 'bazaar', 's', n::text, now() - (n % 2) * interval '15 days' FROM generate_series(1, 12000) n`,
    );
  const service = testService({ on, bus });
  await service.start();
  await until('a sweep', async () => (await count(on, 'souk.inbox')) === 6000);
  await service.stop();
  await on.close();
});
