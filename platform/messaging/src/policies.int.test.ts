import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, systemRuntime } from '@souk/kernel';
import { createPolicyRegistry, type PolicyRules } from '@souk/resilience';
import { testDatabase } from '../../../tests/support/database.ts';
import { CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import {
  type Bus,
  createInProcessBus,
  type Envelope,
  type EventHandler,
  messagingErrors,
  messagingMigrations,
} from './index.ts';

const errors = defineErrors('LINE', { DOWN: { code: 'unavailable', text: 'the line is down', retry: 'later' } });
const registry = (kinds: PolicyRules['kinds']) =>
  createPolicyRegistry({ runtime: systemRuntime(), rules: { ...(kinds && { kinds }) } });

/** A broker that takes a call or refuses it. */
const brokerOf = (publish: (envelopes: readonly Envelope[]) => Promise<void>): Bus => ({
  name: 'line',
  can: { pipelinesKeys: false, durable: true, crossProcess: true, requestReply: false, countsDeliveries: false },
  start: async () => {},
  publish,
  subscribe: () => ({ pause: () => {}, resume: () => {}, close: async () => {} }),
  request: () => Promise.reject(messagingErrors.NOT_SUPPORTED({ bus: 'line', what: 'request' })),
  respond: () => ({ pause: () => {}, resume: () => {}, close: async () => {} }),
  health: () => ({ state: 'connected', sinceMs: 0, lastError: undefined }),
  close: async () => {},
});

const numberOf = ({ data }: Envelope): number => data.at(-1) as number;
const KEYS = Array.from({ length: 12 }, (_, index) => `k${index}`);
const inOrder = (many: number) => Array.from({ length: many }, (_, index) => index + 1);

test('a broker that is down is spared, and has everything in the order of its keys when it is back', async () => {
  const on = await testDatabase('publish-policy', [messagingMigrations]);
  const taken: string[] = [];
  let isDown = true;
  let calls = 0;
  const bus = brokerOf(async (envelopes) => {
    calls++;
    if (isDown) throw errors.DOWN();
    taken.push(...envelopes.map((envelope) => `${envelope.key} ${numberOf(envelope)}`));
  });
  const policies = registry({
    publish: { breaker: { consecutive: 10, openMs: 400, openMaxMs: 400, openJitter: 0, rampMs: 200 } },
  });
  const service = testService({ on, bus, policies });
  await service.start();
  for (let number = 1; number <= 5; number++) {
    await Promise.all(KEYS.map((key) => publishCounted(on, service, key, number)));
  }
  const { stats } = policies.find('publish:line');
  await until('it is spared', () => stats.ended.rejected >= 60);
  assert.ok(calls < 40, `${calls} calls of a broker that is down`);
  isDown = false;
  await until('all', () => taken.length >= 60);
  for (const key of KEYS)
    assert.deepEqual(
      taken.filter((one) => one.startsWith(`${key} `)),
      inOrder(5).map((number) => `${key} ${number}`),
    );
  await service.stop();
  assert.equal((await on.db.at(on.ctx).query('SELECT FROM souk.outbox')).rowCount, 0);
  await on.close();
});

test('what there is no room for is handled later: once, in the order of its key, and without using up attempts', async () => {
  const on = await testDatabase('consume-policy', [messagingMigrations]);
  const policies = registry({ consume: { bulkhead: { limit: 2 } } });
  const bus = createInProcessBus({ runtime: on.runtime });
  const handled: string[] = [];
  let most = 0;
  let running = 0;
  const handle: EventHandler = async (_ctx, event, delivery) => {
    const { key, number } = event as unknown as { key: string; number: number };
    most = Math.max(most, ++running);
    await delivery.once(async (tx) => {
      await tx.query('SELECT pg_sleep(0.005)');
      tx.afterCommit(() => void handled.push(`${key} ${number}`));
    });
    running--;
  };
  const subscriptions = [{ schema: CountedSchema, ordered: true, handle }];
  const service = testService({ on, bus, policies, subscriptions });
  await bus.start();
  await service.start();
  for (let number = 1; number <= 4; number++) {
    await Promise.all(KEYS.map((key) => publishCounted(on, service, key, number)));
  }
  await until('all', () => handled.length >= 48);
  assert.ok(policies.find('consume:bazaar').stats.ended.rejected > 0, 'some were refused');
  assert.equal(
    policies.list().some(({ name }) => name.startsWith('publish:')),
    false,
    'there is no broker',
  );
  assert.equal(most, 2);
  for (const key of KEYS)
    assert.deepEqual(
      handled.filter((one) => one.startsWith(`${key} `)),
      inOrder(4).map((number) => `${key} ${number}`),
    );
  for (const table of ['retry', 'dead_letter'])
    assert.equal((await on.db.at(on.ctx).query(`SELECT FROM souk.${table}`)).rowCount, 0, table);
  await service.stop();
  await bus.close();
  await on.close();
});

test('an event put aside that there is no room for keeps its attempts', async () => {
  const on = await testDatabase('consume-retry', [messagingMigrations]);
  const policies = registry({ consume: { bulkhead: { limit: 1 } } });
  const bus = createInProcessBus({ runtime: on.runtime });
  const gate = Promise.withResolvers<void>();
  let handledB = false;
  let failures = 0;
  const handle: EventHandler = async (_ctx, event) => {
    const { key } = event as unknown as { key: string };
    if (key === 'b' && failures++ < 2) throw errors.DOWN();
    if (key === 'a') await gate.promise;
    if (key === 'b') handledB = true;
  };
  const service = testService({ on, bus, policies, subscriptions: [{ schema: CountedSchema, ordered: true, handle }] });
  await bus.start();
  await service.start();
  const sql = on.db.at(on.ctx);
  await publishCounted(on, service, 'b', 1);
  await until('b is put aside', async () => (await sql.query('SELECT FROM souk.retry')).rowCount === 1);
  // The only place is taken for longer than b waits.
  await publishCounted(on, service, 'a', 1);
  await until('a runs', () => policies.find('consume:bazaar').bulkhead?.active === 1);
  await sql.query('UPDATE souk.retry SET available_at = now()');
  const { stats } = policies.find('consume:bazaar');
  const before = stats.ended.rejected;
  await until('b was turned away a few times', () => stats.ended.rejected >= before + 4);
  const waiting = async () =>
    (await sql.query<{ attempts: number }>('SELECT attempts::int AS attempts FROM souk.retry')).rows;
  await until('b waits', async () => (await waiting())[0]?.attempts === 0);
  gate.resolve();
  await until('b', () => handledB);
  await service.stop();
  await bus.close();
  await on.close();
});
