import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBoundedQueue } from './bounded-queue.ts';
import { hasReason } from './souk-error.ts';

test('a queue behaves like a list with a limit', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer() }),
    fc.record({ drain: fc.integer({ min: 0, max: 5 }) }),
    fc.constant({ shift: true }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 }), fc.array(step, { maxLength: 60, size: 'max' }), (capacity, steps) => {
      const queue = createBoundedQueue<number>('q', capacity);
      const model: number[] = [];
      for (const one of steps) {
        if ('push' in one) {
          if (model.length < capacity) {
            queue.push(one.push);
            model.push(one.push);
          } else assert.throws(() => queue.push(one.push), { reason: 'SOUK_QUEUE_FULL' });
        } else if ('drain' in one) assert.deepEqual(queue.drain(one.drain), model.splice(0, one.drain));
        else if (model.length > 0) {
          void queue.shift();
          model.shift();
        }
        assert.equal(queue.size, model.length);
      }
    }),
  );
});

test('order holds over many items, also when the array behind it is cut', async () => {
  const queue = createBoundedQueue<number>('q', 10_000);
  for (let i = 0; i < 5000; i += 1) queue.push(i);
  for (let i = 0; i < 3000; i += 1) assert.equal(await queue.shift(), i);
  for (let i = 5000; i < 6000; i += 1) queue.push(i);
  assert.deepEqual(
    queue.drain(10_000),
    Array.from({ length: 3000 }, (_, i) => i + 3000),
  );
});

test('a waiting reader gets the next item, readers in the order they came', async () => {
  const queue = createBoundedQueue<string>('q', 1);
  const readers = [queue.shift(), queue.shift()];
  queue.push('a');
  queue.push('b');
  assert.deepEqual(await Promise.all(readers), ['a', 'b']);
  assert.equal(queue.size, 0);
});

test('a reader that gives up takes no item with it', async () => {
  const queue = createBoundedQueue<string>('q', 2);
  const control = new AbortController();
  const gone = queue.shift(control.signal);
  const stays = queue.shift();
  control.abort('enough');
  await assert.rejects(gone, (reason) => reason === 'enough');
  queue.push('a');
  assert.equal(await stays, 'a');
  await assert.rejects(queue.shift(control.signal), (reason) => reason === 'enough');
});

test('a closed queue takes nothing, gives what it has, then undefined', async () => {
  const queue = createBoundedQueue<string>('orders', 2);
  queue.push('a');
  queue.close();
  assert.throws(
    () => queue.push('b'),
    (error) => hasReason(error, 'SOUK_QUEUE_CLOSED'),
  );
  assert.equal(await queue.shift(), 'a');
  assert.equal(await queue.shift(), undefined);
});

test('closing lets waiting readers go', async () => {
  const queue = createBoundedQueue<string>('q', 2);
  const reader = queue.shift();
  queue.close();
  assert.equal(await reader, undefined);
});
