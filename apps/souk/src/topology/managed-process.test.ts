import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import type { Child, Exit, ReadyFacts } from './child.ts';
import { ManagedProcess, type ProcessEvent } from './managed-process.ts';

const FACTS: ReadyFacts = { url: 'http://127.0.0.1:1', version: '1' };

/** A program under the test's control. */
function program() {
  const runs: { ready(): void; end(exit: Exit): void; asked: string[] }[] = [];
  const spawn = (): Child => {
    const ready = Promise.withResolvers<ReadyFacts>();
    const exit = Promise.withResolvers<Exit>();
    const asked: string[] = [];
    runs.push({ ready: () => ready.resolve(FACTS), end: (how) => exit.resolve(how), asked });
    const kill = () => {
      asked.push('kill');
      exit.resolve({ code: null, signal: 'SIGKILL' });
    };
    return {
      pid: runs.length,
      ready: ready.promise,
      exit: exit.promise,
      stop: () => void asked.push('stop'),
      kill,
      give: () => false,
    };
  };
  return { runs, spawn };
}

function setUp() {
  const runtime: VirtualRuntime = virtualRuntime();
  const { runs, spawn } = program();
  const events: ProcessEvent[] = [];
  const onChange = (_process: unknown, event: ProcessEvent) => void events.push(event);
  const process = new ManagedProcess({ name: 'orders-1', runtime, spawn, onChange, stopMs: 40_000 });
  const last = () => runs.at(-1) as (typeof runs)[number];
  const settle = () => runtime.advance(0);
  return { runtime, runs, events, process, last, settle };
}

const CRASH: Exit = { code: null, signal: 'SIGKILL' };

test('a process that ends is started again, after pauses that double up to ten seconds', async () => {
  const { runtime, process, last, runs, events, settle } = setUp();
  process.start();
  for (let run = 1; run <= 9; run++) {
    last().end(CRASH);
    await settle();
    assert.equal(process.state, 'waiting');
    const { againInMs } = events.filter((event) => event.kind === 'ended').at(-1) as { againInMs: number };
    assert.equal(againInMs, Math.min(10_000, 100 * 2 ** (run - 1)));
    await runtime.advance(againInMs - 1);
    assert.equal(runs.length, run);
    await runtime.advance(1);
    assert.equal(runs.length, run + 1);
  }
  assert.equal(process.restarts, 9);
});

test('a run that served for half a minute begins the pauses anew, a shorter one does not', async () => {
  const { runtime, process, last, events, settle } = setUp();
  const pauses = () => events.flatMap((event) => (event.kind === 'ended' ? event.againInMs : []));
  process.start();
  for (const servedMs of [29_999, 29_999, 30_000]) {
    last().ready();
    await runtime.advance(servedMs);
    last().end(CRASH);
    await settle();
    await runtime.advance(10_000);
  }
  assert.deepEqual(pauses(), [100, 200, 100]);
});

test('a process that ends again and again is told of once, and once more after a good time', async () => {
  const { runtime, process, last, events, settle } = setUp();
  process.start();
  const crash = async () => {
    last().end(CRASH);
    await settle();
    await runtime.advance(10_000);
  };
  const told = () => events.filter(({ kind }) => kind === 'crash-loop').length;
  for (let run = 0; run < 4; run++) await crash();
  assert.equal(told(), 0);
  for (let run = 0; run < 4; run++) await crash();
  assert.equal(told(), 1);
  assert.equal(process.isLooping, true);
  last().ready();
  await runtime.advance(61_000);
  for (let run = 0; run < 5; run++) await crash();
  assert.equal(told(), 2);
});

test('whoever waits for it to be ready waits for the next run when one ends before', async () => {
  const { runtime, process, last, settle } = setUp();
  process.start();
  let ready = false;
  void process.whenReady().then(() => {
    ready = true;
  });
  last().end(CRASH);
  await settle();
  await runtime.advance(100);
  assert.equal(ready, false);
  last().ready();
  await settle();
  assert.equal(ready, true);
  assert.deepEqual(process.facts, FACTS);
});

test('a stop lets it finish, ends it when that takes too long, and it does not come back', async () => {
  for (const leaves of [true, false]) {
    const { runtime, process, last, runs, events, settle } = setUp();
    process.start();
    last().ready();
    await settle();
    const stopped = process.stop();
    assert.equal(process.state, 'stopping');
    await settle();
    assert.deepEqual(last().asked, ['stop']);
    if (leaves) last().end({ code: 0, signal: null });
    await runtime.advance(40_000);
    await stopped;
    assert.deepEqual(last().asked, leaves ? ['stop'] : ['stop', 'kill']);
    assert.deepEqual(events.at(-1), { kind: 'stopped', forced: !leaves });
    await runtime.advance(60_000);
    assert.equal(runs.length, 1);
    assert.equal(process.state, 'stopped');
  }
});

test('a stop during a pause ends the pauses', async () => {
  const { runtime, process, last, runs, settle } = setUp();
  process.start();
  last().end(CRASH);
  await settle();
  await process.stop();
  await runtime.advance(60_000);
  assert.equal(runs.length, 1);
});
