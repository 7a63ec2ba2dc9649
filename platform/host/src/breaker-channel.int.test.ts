import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { silentTelemetry } from '@souk/telemetry';
import { testServer } from '../../../tests/support/database.ts';
import { createBreakerChannel } from './breaker-channel.ts';
import { createHostPolicies } from './policies.ts';

const runtime = systemRuntime();

async function sharedDatabase(t: { after(run: () => Promise<void>): void }) {
  const { server } = await testServer();
  const name = `breakers-${runtime.ids.uuid().slice(-8)}`;
  const db = await server.open(name, { poolSize: 3 });
  t.after(() => db.close());
  return db;
}

/** Looks until it is so; the order of an operator takes up to two seconds. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = runtime.clock.monotonicMs() + 8000;
  while (!holds()) {
    assert.ok(runtime.clock.monotonicMs() < endMs, what);
    await runtime.timers.sleep(20);
  }
}

test('what an operator orders at one instance holds at the other, and a third that comes later learns of it', async (t) => {
  const db = await sharedDatabase(t);
  const keepAlive = setInterval(() => {}, 1000);
  t.after(async () => clearInterval(keepAlive));
  const instance = async () => {
    const host = createHostPolicies({ runtime, telemetry: silentTelemetry(runtime, 'test'), share: true });
    const policy = host.policies.policy('http:bank', 'http');
    await host.open(db);
    t.after(() => host.close());
    const state = () => policy.breaker?.peek(runtime.clock.monotonicMs()).state;
    return { host, state };
  };
  const [one, other] = [await instance(), await instance()];
  assert.deepEqual([one.state(), other.state()], ['CLOSED', 'CLOSED']);
  const order = { key: 'http:bank', owner: 'ada', reason: 'maintenance' } as const;
  await one.host.sharing?.command({ ...order, action: 'isolate', ttlMs: 60_000 }, 0);
  await until('the other instance obeys', () => other.state() === 'FORCED_OPEN' && one.state() === 'FORCED_OPEN');
  const third = await instance();
  await until('one that comes later obeys', () => third.state() === 'FORCED_OPEN');
  await assert.rejects(
    async () => other.host.sharing?.command({ ...order, action: 'release', ttlMs: 60_000 }, 0),
    'an order against a version that is not the last',
  );
  const version = other.host.sharing?.view('http:bank').command?.version ?? -1;
  await other.host.sharing?.command({ ...order, action: 'release', ttlMs: 60_000 }, version);
  await until('all are released', () => [one, other, third].every(({ state }) => state() !== 'FORCED_OPEN'));
});

test('one instance at a time gets the lease to probe, until its time is over or a higher fence of its own', async (t) => {
  const db = await sharedDatabase(t);
  const channel = createBreakerChannel(runtime, silentLogger);
  await assert.rejects(channel.leases.tryAcquire('k', 'a', 1, 100), { reason: 'SOUK_NOT_STARTED' });
  await channel.open(db);
  t.after(() => channel.close());
  const { leases } = channel;
  const all = await Promise.all(['a', 'b', 'c'].map((holder) => leases.tryAcquire('k', holder, 1, 60_000)));
  assert.equal(all.filter(Boolean).length, 1);
  const [holder = 'a'] = ['a', 'b', 'c'].filter((_, index) => all[index]);
  assert.equal(await leases.tryAcquire('k', holder, 1, 60_000), false);
  assert.equal(await leases.tryAcquire('k', holder, 2, 1), true);
  await runtime.timers.sleep(20);
  assert.equal(await leases.tryAcquire('k', 'another', 1, 60_000), true);
});
