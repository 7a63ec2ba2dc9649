import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, virtualRuntime } from '@souk/kernel';
import { createDeadlines } from './deadline.ts';

const never = new Promise<never>(() => {});
const overAt = (runtime: ReturnType<typeof virtualRuntime>, work: Promise<unknown>): Promise<number> =>
  work.then(
    () => assert.fail('it ended'),
    (error) => {
      assert.ok(hasReason(error, 'SOUK_DEADLINE_EXCEEDED'));
      return runtime.clock.monotonicMs();
    },
  );

test('each call ends at its own deadline, whatever the order they came in', async () => {
  const runtime = virtualRuntime();
  const deadlines = createDeadlines(runtime);
  const timeouts = [500, 100, 300, 100, 700];
  const ended = timeouts.map((ms) => overAt(runtime, deadlines.within(ms, undefined, never)));
  await runtime.advance(50);
  ended.push(overAt(runtime, deadlines.within(20, undefined, never)));
  await runtime.advance(10_000);
  assert.deepEqual(await Promise.all(ended), [...timeouts, 70]);
  assert.equal(runtime.pendingTimers, 0);
});

test('many calls wait with one timer, and none is left once it has rung after they are over', async () => {
  const runtime = virtualRuntime();
  const deadlines = createDeadlines(runtime);
  const { promise, resolve } = Promise.withResolvers<number>();
  const calls = [10, 30, 20].map((ms) => deadlines.within(ms, undefined, promise));
  assert.equal(runtime.pendingTimers, 1);
  resolve(1);
  assert.deepEqual(await Promise.all(calls), [1, 1, 1]);
  await runtime.advance(10_000);
  assert.equal(runtime.pendingTimers, 0);
});

test('a deadline is kept after earlier calls have left', async () => {
  const runtime = virtualRuntime();
  const deadlines = createDeadlines(runtime);
  const late = overAt(runtime, deadlines.within(200, undefined, never));
  await deadlines.within(50, undefined, Promise.resolve());
  await runtime.advance(300);
  assert.equal(await late, 200);
});

test('a caller who gives up is not waited for', async () => {
  const runtime = virtualRuntime();
  const deadlines = createDeadlines(runtime);
  const gone = new AbortController();
  const waiting = deadlines.within(100, gone.signal, never);
  gone.abort();
  await assert.rejects(waiting, { reason: 'SOUK_CANCELED' });
  await assert.rejects(deadlines.within(100, gone.signal, never), { reason: 'SOUK_CANCELED' });
  await runtime.advance(10_000);
  assert.equal(runtime.pendingTimers, 0);
});

test('work that fails fails as it does', async () => {
  const deadlines = createDeadlines(virtualRuntime());
  const error = new TypeError('x');
  await assert.rejects(deadlines.within(100, undefined, Promise.reject(error)), error);
});
