import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import { createLeases } from './leases.ts';

function setUp(runtime: VirtualRuntime = virtualRuntime()) {
  const lapsed: string[] = [];
  let late = 0;
  const leases = createLeases({
    runtime,
    onLapse: (ids) => void lapsed.push(...ids),
    onLate: () => {
      late += 1;
    },
  });
  return { runtime, leases, lapsed, late: () => late };
}

test('who is not heard of in time lapses once; who is heard of does not', async () => {
  const { runtime, leases, lapsed } = setUp();
  leases.arm('silent', 10_000);
  leases.arm('well', 10_000);
  for (let beat = 0; beat < 10; beat += 1) {
    await runtime.advance(3000);
    leases.renew('well');
  }
  assert.deepEqual(lapsed, ['silent']);
  assert.equal(leases.isLive('silent'), false);
  assert.equal(leases.isLive('well'), true);
  leases.renew('silent');
  assert.equal(leases.isLive('silent'), true);
  await runtime.advance(10_250);
  assert.deepEqual(lapsed, ['silent', 'silent', 'well']);
});

test('who was dropped says nothing more', async () => {
  const { runtime, leases, lapsed } = setUp();
  leases.arm('a', 1000);
  leases.drop('a');
  await runtime.advance(5000);
  assert.deepEqual(lapsed, []);
  assert.equal(leases.size, 0);
});

test('when this process stood still for more than a third of a lease, everybody gets the full time again', async () => {
  const runtime = virtualRuntime();
  let stoodMs = 0;
  const clock = { now: runtime.clock.now, monotonicMs: () => runtime.clock.monotonicMs() + stoodMs };
  const { leases, lapsed, late } = setUp({ ...runtime, clock, advance: runtime.advance, settle: runtime.settle });
  for (let count = 0; count < 100; count += 1) leases.arm(String(count), 10_000);
  await runtime.advance(3000);
  stoodMs = 20_000;
  await runtime.advance(9000);
  assert.deepEqual(lapsed, []);
  assert.equal(late(), 1);
  await runtime.advance(2000);
  assert.equal(lapsed.length, 100);
});
