import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, virtualRuntime } from '@souk/kernel';
import { createPolicy } from './index.ts';

const errors = defineErrors('SHOP', {
  BUSY: { code: 'aborted', text: 'another request with this key is at work', retry: 'later' },
  CHANGED: { code: 'aborted', text: 'somebody else was faster' },
});

test('a server at work that asks to come again is asked again, and its breaker sees no failure', async () => {
  const runtime = virtualRuntime({ seed: 1 });
  const config = { retry: { idempotent: true }, breaker: { consecutive: 1 } };
  const policy = createPolicy({ name: 'shop', config, runtime });
  const atMs: number[] = [];
  const answer = policy.run(async () => {
    atMs.push(runtime.clock.monotonicMs());
    if (atMs.length === 1) throw errors.BUSY({}, { afterMs: 1000 });
    return 'done';
  });
  await runtime.advance(2000);
  assert.equal(await answer, 'done');
  assert.ok((atMs[1] as number) - (atMs[0] as number) >= 1000, 'after the time that was asked for');
  assert.equal(policy.breaker?.peek(runtime.clock.monotonicMs()).state, 'CLOSED');
});

test('one that does not ask for it is not', async () => {
  const runtime = virtualRuntime({ seed: 1 });
  const policy = createPolicy({ name: 'shop', config: { retry: { idempotent: true } }, runtime });
  let calls = 0;
  const answer = policy.run(async () => {
    calls++;
    throw errors.CHANGED();
  });
  await assert.rejects(answer, { reason: 'SHOP_CHANGED' });
  assert.equal(calls, 1);
});
