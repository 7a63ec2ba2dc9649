import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyWorld, watch } from '../test/world.ts';

test('one that is let in while it joins the queue keeps no timer of the queue: its work is not given up', async () => {
  const world = policyWorld({ bulkhead: { limit: 1, queueLimit: 1, queueTimeoutMs: 50 } });
  const { bulkhead } = world.policy;
  assert.ok(bulkhead);
  bulkhead.tryEnter(0, 0);
  const refuse = () => bulkhead.release(0);
  const places = { gateNext: undefined, gatePrevious: undefined };
  bulkhead.enqueue({ ...places, priority: 4, deadlineMs: Number.POSITIVE_INFINITY, admit: () => {}, refuse }, 0);
  const seen = watch(world.policy.run(world.work, { criticality: 'critical' }));
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(1000);
  assert.deepEqual(seen, { done: false });
  world.jobs[0]?.resolve('in time');
  await world.runtime.settle();
  assert.equal(seen.value, 'in time');
});

test('a call that leaves while it waits for its turn gives the turn to the next that comes', async () => {
  const world = policyWorld({ rateLimit: { limit: 10, burst: 1, maxWaitMs: 1000 } });
  void world.policy.run(world.work);
  const controller = new AbortController();
  const gone = watch(world.policy.run(world.work, { signal: controller.signal }));
  controller.abort('gone');
  await world.runtime.settle();
  assert.equal(gone.error, 'gone');
  const late = watch(world.policy.run(world.work, { deadlineMs: 50 }));
  await world.runtime.advance(70);
  assert.equal((late.error as { reason?: string }).reason, 'SOUK_DEADLINE_EXCEEDED');
  void world.policy.run(world.work);
  await world.runtime.advance(50);
  assert.equal(world.jobs.length, 2, 'its turn came at 100 ms, not at 200 or 300');
});
