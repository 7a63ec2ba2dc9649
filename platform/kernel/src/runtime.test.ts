import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from './runtime.ts';

test('the monotonic clock never goes back', () => {
  const { clock } = systemRuntime();
  let last = clock.monotonicMs();
  for (let i = 0; i < 1000; i += 1) {
    const now = clock.monotonicMs();
    assert.ok(now >= last);
    last = now;
  }
});

test('random bytes have the length asked for, also beyond the pool, and do not repeat', () => {
  const { random } = systemRuntime();
  for (const count of [0, 1, 16, 8192, 8193, 20_000]) assert.equal(random.bytes(count).length, count);
  const seen = new Set(Array.from({ length: 2000 }, () => Buffer.from(random.bytes(16)).toString('hex')));
  assert.equal(seen.size, 2000);
});

test('bytes handed out are not changed by later ones', () => {
  const { random } = systemRuntime();
  const first = random.bytes(16);
  const copy = Uint8Array.from(first);
  for (let i = 0; i < 2000; i += 1) random.bytes(16);
  assert.deepEqual(first, copy);
});

test('a cancelled timer does not fire, and a delay beyond the limit of the system waits', async () => {
  const { timers } = systemRuntime();
  let fired = 0;
  const count = () => {
    fired += 1;
  };
  const long = [timers.after(2 ** 40, count), timers.every(2 ** 40, count)];
  timers.after(0, count).cancel();
  timers.every(1, count).cancel();
  await timers.sleep(5);
  assert.equal(fired, 0);
  for (const timer of long) timer.cancel();
});

test('a sleep ends when its signal aborts', async () => {
  const { timers } = systemRuntime();
  await assert.rejects(timers.sleep(60_000, AbortSignal.abort('before')), (reason) => reason === 'before');
  const control = new AbortController();
  const sleep = timers.sleep(60_000, control.signal);
  control.abort('during');
  await assert.rejects(sleep, (reason) => reason === 'during');
});
