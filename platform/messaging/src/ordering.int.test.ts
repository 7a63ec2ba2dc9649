import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, seededRandom } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { CountedSchema } from '../test/events.ts';
import { testService, until } from '../test/service.ts';
import { type Bus, createInProcessBus, type Envelope, messagingMigrations } from './index.ts';

const errors = defineErrors('ORDERING', { GIVE_UP: { code: 'failed_precondition', text: 'rolled back on purpose' } });
const WRITERS = 16;
const ROUNDS = 40;
const KEYS = 20;

/** A broker that all processes share: takes each call after a while, and refuses some. One call of a key at a time. */
function sharedLine(on: TestDatabase, taken: Envelope[]): Bus {
  const random = seededRandom(7);
  const real = createInProcessBus({ runtime: on.runtime });
  return {
    ...real,
    can: { ...real.can, pipelinesKeys: false, durable: true },
    publish: async (envelopes) => {
      await on.runtime.timers.sleep(random.next() * 4);
      if (random.next() < 0.1) throw errors.GIVE_UP();
      taken.push(...envelopes);
    },
  };
}

const numberOf = ({ data }: Envelope): number => {
  // Field 2 of the message, a varint below 2^14.
  const at = data.indexOf(0x10);
  const low = data[at + 1] as number;
  return low < 0x80 ? low : (low & 0x7f) | ((data[at + 2] as number) << 7);
};

test('two relays, a third that comes and goes, 16 writers on 20 hot keys: nothing is lost and no key reordered', async () => {
  const on = await testDatabase('ordering', [messagingMigrations], { poolSize: 28 });
  await on.db.at(on.ctx).query('CREATE TABLE hot (key text PRIMARY KEY, version int NOT NULL)');
  await on.db.at(on.ctx).query(`INSERT INTO hot SELECT 'k' || n, 0 FROM generate_series(0, ${KEYS - 1}) n`);
  const taken: Envelope[] = [];
  const bus = sharedLine(on, taken);
  const relay = () => testService({ on, bus, options: { leaseMs: 400, maxInFlight: 64, batchSize: 32 } });
  const relays = [relay(), relay()];
  await Promise.all(relays.map((one) => one.start()));
  let committed = 0;
  const write = async (writer: number): Promise<void> => {
    const random = seededRandom(writer + 1);
    const { publisher } = relays[writer % 2]!;
    for (let round = 0; round < ROUNDS; round++) {
      const key = `k${Math.floor(random.next() * KEYS)}`;
      const rollsBack = random.next() < 0.05;
      const work = async (tx: Transaction) => {
        // Half of them get their transaction's id long before they wait for the key.
        if (random.next() < 0.5) await tx.query('SELECT pg_current_xact_id()');
        await tx.query('SELECT pg_sleep($1)', [random.next() / 300]);
        const { rows } = await tx.query<{ version: number }>(
          'UPDATE hot SET version = version + 1 WHERE key = $1 RETURNING version',
          [key],
        );
        await publisher.publish(tx, CountedSchema, { key, number: rows[0]!.version });
        await tx.query('SELECT pg_sleep($1)', [random.next() / 300]);
        if (rollsBack) throw errors.GIVE_UP();
      };
      await on.db.tx(on.ctx, work).then(
        () => committed++,
        () => assert.ok(rollsBack),
      );
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  const guest = relay();
  await on.runtime.timers.sleep(300);
  await guest.start();
  await on.runtime.timers.sleep(500);
  await guest.stop();
  await writing;
  await until(
    'an empty outbox',
    async () => (await on.db.at(on.ctx).query('SELECT FROM souk.outbox LIMIT 1')).rowCount === 0,
  );
  const first = [...new Map(taken.toReversed().map((envelope) => [envelope.id, envelope])).values()].toReversed();
  assert.equal(first.length, committed, 'lost');
  const heard = new Map<string, number[]>();
  for (const envelope of first) heard.set(envelope.key, [...(heard.get(envelope.key) ?? []), numberOf(envelope)]);
  for (const [key, numbers] of heard) {
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
      `order of ${key}`,
    );
  }
  await Promise.all(relays.map((one) => one.stop()));
  await on.close();
});

/** Two transactions that run at once: the first has the lower xid, or the lower position, and commits last. */
async function race(read: (on: TestDatabase) => Promise<readonly number[]>) {
  const on = await testDatabase('race');
  await on.db.tx(on.ctx, (tx) =>
    tx.script(`
      CREATE TABLE hot (key text PRIMARY KEY, version int NOT NULL);
      INSERT INTO hot VALUES ('k', 0);
      CREATE TABLE log (pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), number int)`),
  );
  const early = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  return { on, early, goOn, read: () => read(on) };
}

const publishNext = async (tx: Transaction): Promise<void> => {
  const { rows } = await tx.query<{ version: number }>(
    "UPDATE hot SET version = version + 1 WHERE key = 'k' RETURNING version",
  );
  await tx.query('INSERT INTO log (number) VALUES ($1)', [rows[0]!.version]);
};

const numbers = async (on: TestDatabase, sql: string): Promise<number[]> =>
  (await on.db.at(on.ctx).query<{ number: number }>(sql)).rows.map(({ number }) => number);

test('why no cursor over positions is kept: it passes rows of transactions that commit late', async () => {
  let cursor = 0n;
  const { on, early, goOn, read } = await race(async (at) => {
    const { rows } = await at.db
      .at(at.ctx)
      .query<{ pos: bigint; number: number }>('SELECT pos, number FROM log WHERE pos > $1 ORDER BY pos', [cursor]);
    cursor = rows.at(-1)?.pos ?? cursor;
    return rows.map(({ number }) => number);
  });
  const late = on.db.tx(on.ctx, async (tx) => {
    await tx.query('INSERT INTO log (number) VALUES (100)');
    early.resolve();
    await goOn.promise;
  });
  await early.promise;
  await on.db.tx(on.ctx, publishNext);
  assert.deepEqual(await read(), [1]);
  goOn.resolve();
  await late;
  assert.deepEqual(await read(), [], 'the late one is lost');
  assert.deepEqual(await numbers(on, 'SELECT number FROM log ORDER BY pos'), [100, 1], 'as a queue is read, it is not');
  await on.close();
});

test('why the order of transaction ids is not used: the later event of a key may have the lower id', async () => {
  const { on, early, goOn } = await race(async () => []);
  const second = on.db.tx(on.ctx, async (tx) => {
    await tx.query('SELECT pg_current_xact_id()');
    early.resolve();
    await goOn.promise;
    await publishNext(tx);
  });
  await early.promise;
  await on.db.tx(on.ctx, publishNext);
  goOn.resolve();
  await second;
  const horizon = 'SELECT number FROM log WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, pos';
  assert.deepEqual(await numbers(on, horizon), [2, 1], 'turned round');
  assert.deepEqual(await numbers(on, 'SELECT number FROM log ORDER BY pos'), [1, 2]);
  await on.close();
});
