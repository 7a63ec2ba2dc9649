import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Context, silentLogger, virtualRuntime } from '@souk/kernel';
import { createLogBook } from '@souk/testkit';
import { createJobs } from './jobs.ts';

function world() {
  const runtime = virtualRuntime();
  const jobs = createJobs(runtime);
  const turns: number[] = [];
  let running = 0;
  /** A job whose turns take this long. */
  const job = (takesMs: number, everyMs = 1000) => ({
    name: 'count',
    everyMs,
    run: async () => {
      assert.equal(++running, 1, 'never twice at once');
      turns.push(runtime.clock.monotonicMs());
      await runtime.timers.sleep(takesMs);
      running--;
    },
  });
  return { runtime, jobs, turns, job };
}

test('a job waits from the end of one turn to the start of the next, and so never overlaps', async () => {
  const { runtime, jobs, turns, job } = world();
  jobs.add('a', silentLogger, job(3000));
  await runtime.advance(5000);
  assert.deepEqual(turns, []);
  jobs.start();
  await runtime.advance(9000);
  assert.deepEqual(turns, [5000, 9000, 13_000]);
});

test('a job that is added after the start begins at once', async () => {
  const { runtime, jobs, turns, job } = world();
  jobs.start();
  jobs.add('a', silentLogger, job(0));
  await runtime.advance(1000);
  assert.deepEqual(turns, [0, 1000]);
  await jobs.stop();
});

test('stopping cancels what runs, waits for its end, and nothing runs any more', async () => {
  const { runtime, jobs, turns, job } = world();
  const ended: string[] = [];
  jobs.add('a', silentLogger, job(0));
  jobs.add('b', silentLogger, {
    name: 'long',
    everyMs: 1,
    run: async (ctx: Context) => {
      await runtime.timers.sleep(60_000, ctx.signal).catch(() => undefined);
      await runtime.timers.sleep(100);
      ended.push('long');
    },
  });
  jobs.start();
  await runtime.advance(10);
  const stopping = jobs.stop().then(() => ended.push('stopped'));
  await runtime.advance(99);
  assert.deepEqual(ended, []);
  await runtime.advance(1);
  await stopping;
  assert.deepEqual(ended, ['long', 'stopped']);
  await runtime.advance(10_000);
  assert.deepEqual(turns, [0]);
  assert.equal(runtime.pendingTimers, 0);
});

test('a failure is logged, and the next turn comes', async () => {
  const { runtime, jobs } = world();
  const book = createLogBook();
  let turns = 0;
  const run = () => {
    turns += 1;
    throw new TypeError('broken');
  };
  jobs.add('a', book.log, { name: 'fragile', everyMs: 10, run });
  jobs.start();
  await runtime.advance(25);
  assert.equal(turns, 3);
  assert.match(book.text(), /fragile[\s\S]*broken/);
  await jobs.stop();
});

test('a job calls as its service', async () => {
  const { runtime, jobs } = world();
  let caller: Context['caller'] | undefined;
  jobs.add('billing', silentLogger, {
    name: 'who',
    everyMs: 10,
    run: async (ctx) => {
      caller = ctx.caller;
    },
  });
  jobs.start();
  await runtime.settle();
  assert.deepEqual(caller, { roles: [], service: 'billing' });
  await jobs.stop();
});
