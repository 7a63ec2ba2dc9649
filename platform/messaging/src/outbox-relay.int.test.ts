import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import type { Database } from '@souk/store';
import { testDatabase } from '../../../tests/support/database.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import { type Bus, type Envelope, messagingErrors, messagingMigrations } from './index.ts';

const errors = defineErrors('LINE', { DOWN: { code: 'unavailable', text: 'the line is down', retry: 'later' } });

/** A transport of the plain kind: `send` takes a call or refuses it. */
const busOf = (pipelinesKeys: boolean, send: (envelopes: readonly Envelope[]) => Promise<void>): Bus => ({
  name: 'line',
  can: { pipelinesKeys, durable: true, crossProcess: true, requestReply: false, countsDeliveries: false },
  start: async () => {},
  publish: send,
  subscribe: () => ({ pause: () => {}, resume: () => {}, close: async () => {} }),
  request: () => Promise.reject(messagingErrors.NOT_SUPPORTED({ bus: 'line', what: 'request' })),
  respond: () => ({ pause: () => {}, resume: () => {}, close: async () => {} }),
  health: () => ({ state: 'connected', sinceMs: 0, lastError: undefined }),
  close: async () => {},
});

const numberOf = ({ data }: Envelope): number => data.at(-1) as number;

test('what the bus refuses is sent again, before later events of its key', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const taken: string[] = [];
  let calls = 0;
  const bus = busOf(false, async (envelopes) => {
    // Half of the calls fail, some of them late.
    const call = calls++;
    if (call % 4 === 1) await on.db.at(on.ctx).query('SELECT pg_sleep(0.01)');
    if (call % 2 === 1) throw errors.DOWN();
    taken.push(...envelopes.map((envelope) => `${envelope.key} ${numberOf(envelope)}`));
  });
  const service = testService({ on, bus });
  await service.start();
  for (let number = 1; number <= 10; number++) {
    await Promise.all(['a', 'b', 'c'].map((key) => publishCounted(on, service, key, number)));
  }
  await until('all', () => taken.length >= 30);
  for (const key of ['a', 'b', 'c']) {
    const mine = taken.filter((one) => one.startsWith(key));
    assert.deepEqual(
      mine,
      Array.from({ length: 10 }, (_, index) => `${key} ${index + 1}`),
    );
  }
  await service.stop();
  assert.equal((await on.db.at(on.ctx).query('SELECT FROM souk.outbox')).rowCount, 0);
  await on.close();
});

test('an event that is read while an earlier one of its key is refused goes after it', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const taken: number[] = [];
  const firstCall = Promise.withResolvers<void>();
  const readHeld = Promise.withResolvers<void>();
  const readGoesOn = Promise.withResolvers<void>();
  let calls = 0;
  const bus = busOf(true, async (envelopes) => {
    if (calls++ === 0) await firstCall.promise;
    taken.push(...envelopes.map(numberOf));
  });
  const hold = async (rows: readonly unknown[]): Promise<void> => {
    if (calls !== 1 || rows.length === 0) return;
    readHeld.resolve();
    await readGoesOn.promise;
  };
  const db: Database = {
    ...on.db,
    at: (ctx) => ({
      query: async <TRow>(text: string, values?: readonly unknown[]) => {
        const result = await on.db.at(ctx).query<TRow>(text, values);
        if (text.includes('relay-read')) await hold(result.rows);
        return result;
      },
    }),
  };
  const service = testService({ on: { ...on, db }, bus });
  await service.start();
  await publishCounted(on, service, 'k', 1);
  await until('the first call', () => calls === 1);
  await publishCounted(on, service, 'k', 2);
  await readHeld.promise;
  firstCall.reject(errors.DOWN());
  await on.runtime.timers.sleep(1);
  readGoesOn.resolve();
  await until('both', () => taken.length === 2);
  assert.deepEqual(taken, [1, 2]);
  await service.stop();
  await on.close();
});

test('a bus that cannot keep the order of calls has one call of a key at a time', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const open = new Map<string, number>();
  let sent = 0;
  const bus = busOf(false, async ([first, ...rest]) => {
    const key = (first as Envelope).key;
    open.set(key, (open.get(key) ?? 0) + 1);
    assert.equal(open.get(key), 1);
    await on.db.at(on.ctx).query('SELECT pg_sleep(0.03)');
    open.set(key, 0);
    sent += 1 + rest.length;
  });
  const service = testService({ on, bus });
  await service.start();
  for (let number = 1; number <= 20; number++) {
    await Promise.all(['a', 'b'].map((key) => publishCounted(on, service, key, number)));
  }
  await until('all', () => sent === 40);
  await service.stop();
  await on.close();
});

test('no more than the window is in flight, and the rest waits in the outbox', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const gate = Promise.withResolvers<void>();
  let inFlight = 0;
  let most = 0;
  let sent = 0;
  const bus = busOf(true, async (envelopes) => {
    inFlight += envelopes.length;
    most = Math.max(most, inFlight);
    await gate.promise;
    inFlight -= envelopes.length;
    sent += envelopes.length;
  });
  const service = testService({ on, bus, options: { maxInFlight: 8, batchSize: 5 } });
  await service.start();
  await Promise.all(Array.from({ length: 30 }, (_, number) => publishCounted(on, service, `k${number}`, number)));
  await until('a full window', () => inFlight === 8);
  gate.resolve();
  await until('all', () => sent === 30);
  assert.equal(most, 8);
  await service.stop();
  await on.close();
});

test('what other processes commit is sent too', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const taken: number[] = [];
  const bus = busOf(true, async (envelopes) => void taken.push(...envelopes.map(numberOf)));
  const leader = testService({ on, bus });
  const other = testService({ on, bus });
  await leader.start();
  await until('a leader', () => leader.health().relay === 'leading');
  await publishCounted(on, other, 'k', 5);
  await until('the event', () => taken.length === 1);
  await leader.stop();
  await other.start();
  await until('a handover', () => other.health().relay === 'leading', 1000);
  await other.stop();
  await on.close();
});

test('reading and acknowledging use the index, also when they were planned for an empty table', async () => {
  const on = await testDatabase('relay', [messagingMigrations]);
  const plan = await on.db.tx(on.ctx, async (tx) => {
    await tx.script(`
      SET LOCAL plan_cache_mode = force_generic_plan;
      PREPARE r (bigint[], bigint) AS SELECT * FROM souk.outbox WHERE pos <> ALL($1) ORDER BY pos LIMIT $2;
      PREPARE d (bigint[]) AS DELETE FROM souk.outbox WHERE pos = ANY($1);`);
    const read = await tx.query<Record<string, string>>("EXPLAIN EXECUTE r ('{1}', 500)");
    const remove = await tx.query<Record<string, string>>("EXPLAIN EXECUTE d ('{1}')");
    return [read, remove].map(({ rows }) => rows.map((row) => Object.values(row)[0]).join('\n'));
  });
  for (const text of plan) assert.match(text, /outbox_pkey/, text);
  await on.close();
});
