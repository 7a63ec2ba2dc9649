import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kernelErrors } from './error-catalogue.ts';
import { createLifecycle, type Part } from './lifecycle.ts';
import { type Logger, silentLogger } from './logger.ts';
import { virtualRuntime } from './virtual-runtime.ts';

function world() {
  const runtime = virtualRuntime();
  const seen: string[] = [];
  const errors: string[] = [];
  const log: Logger = { ...silentLogger, error: (message) => void errors.push(message) };
  const lifecycle = createLifecycle({ runtime, log });
  const part = (name: string, extra: Partial<Part> = {}): Part => ({
    name,
    start: async () => void seen.push(`+${name}`),
    stop: async () => void seen.push(`-${name}`),
    ...extra,
  });
  return { runtime, seen, errors, lifecycle, part };
}

test('parts start in order and stop in reverse', async () => {
  const { seen, lifecycle, part } = world();
  for (const name of ['db', 'bus', 'http']) lifecycle.add(part(name));
  assert.equal(lifecycle.state, 'new');
  await lifecycle.start();
  assert.equal(lifecycle.state, 'running');
  await lifecycle.stop();
  assert.equal(lifecycle.state, 'stopped');
  assert.deepEqual(seen, ['+db', '+bus', '+http', '-http', '-bus', '-db']);
});

test('when a part fails, those that run are stopped and the error names it', async () => {
  const { seen, lifecycle, part } = world();
  lifecycle.add(part('db'));
  lifecycle.add(part('bus', { start: () => Promise.reject(new Error('port taken')) }));
  lifecycle.add(part('http'));
  await assert.rejects(lifecycle.start(), { reason: 'SOUK_START_FAILED', message: 'bus did not start: port taken' });
  assert.deepEqual(seen, ['+db', '-db']);
  assert.equal(lifecycle.state, 'stopped');
});

test("a part's own error is kept", async () => {
  const { lifecycle, part } = world();
  const own = kernelErrors.QUEUE_FULL({ queue: 'q' });
  lifecycle.add(part('bus', { start: () => Promise.reject(own) }));
  await assert.rejects(lifecycle.start(), (error) => error === own);
});

test('a part that is starting when a stop comes is stopped too, and no further one starts', async () => {
  const { runtime, seen, lifecycle, part } = world();
  const up = Promise.withResolvers<void>();
  lifecycle.add(part('db'));
  lifecycle.add(part('bus', { start: () => up.promise.then(() => void seen.push('+bus')) }));
  lifecycle.add(part('http'));
  const starting = lifecycle.start();
  await runtime.settle();
  const stopping = lifecycle.stop();
  up.resolve();
  await Promise.all([starting, stopping]);
  assert.deepEqual(seen, ['+db', '+bus', '-bus', '-db']);
  assert.equal(lifecycle.state, 'stopped');
});

test('a part that hangs while it starts keeps nobody, and is stopped when it comes up late', async () => {
  const { runtime, seen, errors, lifecycle, part } = world();
  const up = Promise.withResolvers<void>();
  lifecycle.add(part('db'));
  lifecycle.add(part('slow', { start: () => up.promise, stopTimeoutMs: 100 }));
  const starting = lifecycle.start();
  await runtime.settle();
  const stopping = lifecycle.stop();
  await runtime.advance(100);
  await Promise.all([starting, stopping]);
  assert.deepEqual(seen, ['+db', '-db']);
  assert.deepEqual(errors, ['a part was still starting when it had to stop']);
  up.resolve();
  await runtime.settle();
  assert.deepEqual(seen, ['+db', '-db', '-slow']);
});

test('a part that fails after a stop was asked for is logged, and start resolves', async () => {
  const { runtime, errors, lifecycle, part } = world();
  const up = Promise.withResolvers<void>();
  lifecycle.add(part('bus', { start: () => up.promise }));
  const starting = lifecycle.start();
  await runtime.settle();
  const stopping = lifecycle.stop();
  up.reject(new Error('interrupted'));
  await Promise.all([starting, stopping]);
  assert.deepEqual(errors, ['a part failed to start while it was being stopped']);
});

test('a part that does not stop in time, or fails to, holds up nobody', async () => {
  const { runtime, seen, errors, lifecycle, part } = world();
  lifecycle.add(part('db'));
  lifecycle.add(part('stuck', { stop: () => new Promise(() => {}), stopTimeoutMs: 50 }));
  lifecycle.add(part('broken', { stop: () => Promise.reject(new Error('no')) }));
  await lifecycle.start();
  const stopping = lifecycle.stop();
  await runtime.advance(50);
  await stopping;
  assert.equal(seen.at(-1), '-db');
  assert.equal(errors.length, 2);
  assert.equal(runtime.pendingTimers, 0);
});

test('stopping twice stops once; starting twice is refused; adding late is refused', async () => {
  const { seen, lifecycle, part } = world();
  lifecycle.add(part('db'));
  await lifecycle.start();
  await assert.rejects(lifecycle.start(), { reason: 'SOUK_ALREADY_STARTED' });
  assert.throws(() => lifecycle.add(part('late')), { reason: 'SOUK_ALREADY_STARTED' });
  await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  await lifecycle.stop();
  assert.deepEqual(seen, ['+db', '-db']);
});

test('a stop before the start means that nothing starts', async () => {
  const { seen, lifecycle, part } = world();
  lifecycle.add(part('db'));
  await lifecycle.stop();
  await lifecycle.start();
  assert.deepEqual(seen, []);
  assert.equal(lifecycle.state, 'stopped');
});

test('whenever the stop comes, every part that came up is stopped once, in reverse', async () => {
  const plans = fc.record({
    startMs: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 5 }),
    stopAtMs: fc.integer({ min: 0, max: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(plans, async ({ startMs, stopAtMs }) => {
      const { runtime, seen, lifecycle, part } = world();
      startMs.forEach((ms, index) => {
        lifecycle.add(
          part(String(index), { start: () => runtime.timers.sleep(ms).then(() => void seen.push(`+${index}`)) }),
        );
      });
      const starting = lifecycle.start();
      await runtime.advance(stopAtMs);
      const stopping = lifecycle.stop();
      await runtime.advance(1000);
      await Promise.all([starting, stopping]);
      const ups = seen.filter((one) => one.startsWith('+')).map((one) => one.slice(1));
      const downs = seen.filter((one) => one.startsWith('-')).map((one) => one.slice(1));
      assert.deepEqual(downs, ups.toReversed());
    }),
    { numRuns: 40 },
  );
});
