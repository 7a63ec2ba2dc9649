import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { resolveBreakerSharing } from './advice-options.ts';
import { createProbeLease, type LeaseStore } from './probe-lease.ts';

const settings = resolveBreakerSharing();
const TTL_MS = 10_000;

const world = (make: (store: LeaseStore) => LeaseStore = (store) => store) => {
  const runtime = virtualRuntime();
  const held = new Map<string, { holder: string; fence: number; untilMs: number }>();
  const store = make({
    tryAcquire: async (key, holder, fence, ttlMs) => {
      const nowMs = runtime.clock.monotonicMs();
      const old = held.get(key);
      if (old !== undefined && nowMs < old.untilMs && (old.holder !== holder || fence <= old.fence)) return false;
      held.set(key, { holder, fence, untilMs: nowMs + ttlMs });
      return true;
    },
  });
  const stats = { leaseFailures: 0, localProbes: 0 };
  const lease = (holder: string) => createProbeLease({ key: 'stock', holder, store, settings, runtime, stats });
  return { runtime, stats, lease, now: () => runtime.clock.monotonicMs() };
};

test('L1 only the holder probes, and the next one when the lease is over', async () => {
  const { runtime, lease, now } = world();
  const [a, b] = [lease('a'), lease('b')];
  assert.equal(a.mayProbe(3, TTL_MS, now()), false, 'it does not know yet');
  await runtime.settle();
  assert.equal(a.mayProbe(3, TTL_MS, now()), true);
  for (let ms = 0; ms < 10_900; ms += 100) {
    assert.equal(b.mayProbe(8, TTL_MS, now()), false);
    await runtime.advance(100);
  }
  await runtime.advance(2_000);
  b.mayProbe(8, TTL_MS, now());
  await runtime.settle();
  assert.equal(b.mayProbe(8, TTL_MS, now()), true);
});

test('L1 a round that would outlive the lease does not begin', async () => {
  const { runtime, lease, now } = world();
  const a = lease('a');
  a.mayProbe(3, TTL_MS, now());
  await runtime.advance(1_000);
  assert.equal(a.mayProbe(3, TTL_MS, now()), true);
  await runtime.advance(1);
  assert.equal(a.mayProbe(3, TTL_MS, now()), false);
});

test('a lease that was given back is free at once', async () => {
  const { runtime, lease, now } = world();
  const [a, b] = [lease('a'), lease('b')];
  a.mayProbe(3, TTL_MS, now());
  await runtime.settle();
  a.giveBack(now());
  await runtime.advance(2);
  b.mayProbe(1, TTL_MS, now());
  await runtime.settle();
  assert.equal(b.mayProbe(1, TTL_MS, now()), true);
  assert.equal(a.mayProbe(3, TTL_MS, now()), false);
});

const broken: Record<string, LeaseStore['tryAcquire']> = {
  rejects: () => Promise.reject(new Error('gone')),
  'throws at once': () => {
    throw new Error('gone');
  },
  hangs: () => new Promise(() => {}),
};
for (const [name, tryAcquire] of Object.entries(broken))
  test(`L2 a store that ${name} holds nobody back`, async () => {
    const { runtime, lease, now, stats } = world(() => ({ tryAcquire }));
    const a = lease('a');
    a.mayProbe(1, TTL_MS, now());
    await runtime.advance(settings.leaseTimeoutMs);
    assert.equal(a.mayProbe(1, TTL_MS, now()), true);
    assert.deepEqual(stats, { leaseFailures: 1, localProbes: 1 });
    assert.equal(runtime.pendingTimers, 0);
  });

test('L3 a lease serves one generation', async () => {
  const { runtime, lease, now } = world();
  const a = lease('a');
  a.mayProbe(3, TTL_MS, now());
  await runtime.advance(0);
  assert.equal(a.mayProbe(5, TTL_MS, now()), false);
});
