import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { createRevisions } from './revisions.ts';

const setUp = () => {
  const runtime = virtualRuntime();
  const revisions = createRevisions(runtime);
  const never = new AbortController().signal;
  return { runtime, revisions, never };
};

/** Whether it is done, after all promises have had their turn. */
async function done(runtime: ReturnType<typeof virtualRuntime>, promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await runtime.settle();
  return settled;
}

test('the first change is number 2, and a resource that was never touched has index 1', () => {
  const { revisions } = setUp();
  assert.equal(revisions.current, 1);
  assert.equal(revisions.indexOf('service:web'), 1);
  assert.equal(revisions.next(), 2);
  revisions.touch('service:web', 2);
  assert.equal(revisions.indexOf('service:web'), 2);
  assert.equal(revisions.indexOf('service:other'), 1);
});

test('an index never goes backwards', () => {
  const { revisions } = setUp();
  revisions.touch('nodes', 9);
  revisions.touch('nodes', 4);
  assert.equal(revisions.indexOf('nodes'), 9);
});

test('a waiter is told of its own resource only', async () => {
  const { runtime, revisions, never } = setUp();
  const web = revisions.wait('service:web', 1, never, 1000);
  const api = revisions.wait('service:api', 1, never, 1000);
  revisions.touch('service:web', revisions.next());
  assert.equal(await done(runtime, web), true);
  assert.equal(await done(runtime, api), false);
  assert.equal(revisions.waiters, 1);
});

test('a waiter that knows more than the change waits on', async () => {
  const { runtime, revisions, never } = setUp();
  const ahead = revisions.wait('nodes', 5, never, 1000);
  revisions.touch('nodes', 5);
  assert.equal(await done(runtime, ahead), false);
  revisions.touch('nodes', 6);
  assert.equal(await done(runtime, ahead), true);
});

test('what changed before the wait began is told at once', async () => {
  const { runtime, revisions, never } = setUp();
  revisions.touch('nodes', 3);
  assert.equal(await done(runtime, revisions.wait('nodes', 2, never, 1000)), true);
  assert.equal(runtime.pendingTimers, 0);
});

test('time and hang-up both free the waiter and its timer', async () => {
  const { runtime, revisions, never } = setUp();
  const late = revisions.wait('nodes', 1, never, 1000);
  const gone = new AbortController();
  const left = revisions.wait('nodes', 1, gone.signal, 1000);
  gone.abort();
  assert.equal(await done(runtime, left), true);
  assert.equal(revisions.waiters, 1);
  await runtime.advance(1000);
  assert.equal(await done(runtime, late), true);
  assert.equal(revisions.waiters, 0);
  assert.equal(runtime.pendingTimers, 0);
});

test('a resource that is gone keeps its index; the longest gone of very many lift the floor of their kind', () => {
  const { revisions } = setUp();
  revisions.retire('service:first', 7);
  assert.equal(revisions.indexOf('service:first'), 7);
  for (let count = 0; count < 10_000; count += 1) revisions.retire(`service:${count}`, 8 + count);
  assert.equal(revisions.indexOf('service:first'), 7);
  assert.equal(revisions.indexOf('service:never seen'), 7);
  assert.equal(revisions.indexOf('node:never seen'), 1);
});

test('after a restart everything counts as changed', () => {
  const { revisions } = setUp();
  revisions.restore(100);
  assert.equal(revisions.indexOf('service:web'), 100);
  assert.equal(revisions.next(), 101);
});

test('computed indexes are asked for, and a touch wakes those who wait for one', async () => {
  const { runtime, revisions, never } = setUp();
  let index = 1;
  revisions.compute('kv-prefix', (prefix) => (prefix === 'a/' ? index : 1));
  const waiting = revisions.wait('kv-prefix:a/', 1, never, 1000);
  assert.deepEqual([...revisions.waiting('kv-prefix')], ['a/']);
  index = revisions.next();
  revisions.touch('kv-prefix:a/', index);
  assert.equal(await done(runtime, waiting), true);
  assert.equal(revisions.indexOf('kv-prefix:a/'), 2);
  assert.equal(revisions.indexOf('kv-prefix:b/'), 1);
});
