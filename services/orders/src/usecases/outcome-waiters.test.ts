import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, rootContext, virtualRuntime } from '@souk/kernel';
import type { OrderStatus } from '../domain/order.ts';
import type { PositionedOrder } from '../store/order-view.ts';
import { createOutcomeWaiters } from './outcome-waiters.ts';

const order = (status: OrderStatus, id = 'ord_1') => ({ id, status }) as PositionedOrder;

function world() {
  const runtime = virtualRuntime();
  const waiters = createOutcomeWaiters(runtime);
  let stored = order('PLACED');
  let looks = 0;
  const load = async () => {
    looks += 1;
    return stored;
  };
  return {
    runtime,
    waiters,
    load,
    looks: () => looks,
    store: (status: OrderStatus) => {
      stored = order(status);
    },
    ctx: rootContext({ runtime }),
  };
}

test('an outcome of this process is heard at once', async () => {
  const { runtime, waiters, load, looks, ctx } = world();
  const waited = waiters.wait(ctx, 'ord_1', 10_000, load);
  await runtime.settle();
  waiters.changed(order('CONFIRMED'));
  assert.equal((await waited).status, 'CONFIRMED');
  assert.equal(looks(), 1);
  assert.equal(runtime.pendingTimers, 0);
});

test('an outcome between the first look and the wait is not missed', async () => {
  const { waiters, ctx } = world();
  const waited = waiters.wait(ctx, 'ord_1', 10_000, async () => {
    waiters.changed(order('REJECTED'));
    return order('PLACED');
  });
  assert.equal((await waited).status, 'REJECTED');
});

test('an outcome that another process committed is found within half a second', async () => {
  const { runtime, waiters, load, store, ctx } = world();
  const waited = waiters.wait(ctx, 'ord_1', 10_000, load);
  await runtime.advance(100);
  store('CONFIRMED');
  await runtime.advance(400);
  assert.equal((await waited).status, 'CONFIRMED');
});

test('after the wait the order is returned as it is, and nothing is left behind', async () => {
  const { runtime, waiters, load, ctx } = world();
  const waited = waiters.wait(ctx, 'ord_1', 1200, load);
  await runtime.advance(1200);
  assert.equal((await waited).status, 'PLACED');
  assert.equal(runtime.pendingTimers, 0);
});

test('other orders, and changes that decide nothing, wake nobody', async () => {
  const { runtime, waiters, load, looks, ctx } = world();
  const waited = waiters.wait(ctx, 'ord_1', 400, load);
  await runtime.settle();
  waiters.changed(order('CONFIRMED', 'ord_2'));
  waiters.changed(order('PLACED'));
  await runtime.settle();
  assert.equal(looks(), 1);
  await runtime.advance(400);
  assert.equal((await waited).status, 'PLACED');
});

test('all who wait for one order are told', async () => {
  const { runtime, waiters, load, ctx } = world();
  const waited = [1, 2, 3].map(() => waiters.wait(ctx, 'ord_1', 10_000, load));
  await runtime.settle();
  waiters.changed(order('CANCELLED'));
  assert.deepEqual(
    (await Promise.all(waited)).map(({ status }) => status),
    ['CANCELLED', 'CANCELLED', 'CANCELLED'],
  );
});

test('a caller who leaves while the database is asked ends the wait, and only the wait', async () => {
  const { runtime, waiters } = world();
  const leaving = new AbortController();
  const ctx = rootContext({ runtime, signal: leaving.signal });
  const waited = waiters.wait(ctx, 'ord_1', 10_000, async () => {
    leaving.abort();
    // Long enough for a rejection that nobody awaits to be noticed by the process.
    await runtime.settle();
    return order('PLACED');
  });
  await assert.rejects(waited, (error: unknown) => hasReason(error, 'SOUK_CANCELED'));
  assert.equal(runtime.pendingTimers, 0);
});
