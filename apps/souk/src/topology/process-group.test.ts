import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, virtualRuntime } from '@souk/kernel';
import type { Child, Exit, ReadyFacts } from './child.ts';
import { ProcessGroup } from './process-group.ts';

const FACTS: ReadyFacts = { url: 'http://127.0.0.1:1', version: '1' };

/** Programs that note what happens to them, become ready when told, and leave as soon as they are asked. */
function setUp(instances: number, ports: readonly number[] = []) {
  const runtime = virtualRuntime();
  const happened: string[] = [];
  const ready = new Map<string, () => void>();
  const spawn = (instance: string, port: number): Child => {
    happened.push(`${instance} starts${port === 0 ? '' : ` at ${port}`}`);
    const isReady = Promise.withResolvers<ReadyFacts>();
    const exit = Promise.withResolvers<Exit>();
    ready.set(instance, () => {
      happened.push(`${instance} is ready`);
      isReady.resolve(FACTS);
    });
    const leave = () => {
      happened.push(`${instance} leaves`);
      exit.resolve({ code: 0, signal: null });
    };
    return { pid: 1, ready: isReady.promise, exit: exit.promise, stop: leave, kill: leave, give: () => false };
  };
  const plan = { name: 'orders', services: ['orders'], edge: false, operator: false, instances, ports };
  const group = new ProcessGroup({ plan, runtime, spawn });
  return {
    ...{ runtime, group, happened },
    isReady: async (instance: string) => {
      ready.get(instance)?.();
      await runtime.advance(0);
    },
    names: () => group.processes.map(({ name }) => name),
  };
}

test('each instance is replaced by one that serves before the old one is told to leave', async () => {
  const { group, happened, isReady, names } = setUp(2);
  group.start();
  for (const name of ['orders-1', 'orders-2']) await isReady(name);
  happened.length = 0;
  const steps: string[] = [];
  const restarting = group.restart((step) => void steps.push(step));
  await isReady('orders-3');
  await isReady('orders-1');
  await restarting;
  assert.deepEqual(happened, [
    'orders-3 starts',
    'orders-3 is ready',
    'orders-1 leaves',
    'orders-1 starts',
    'orders-1 is ready',
    'orders-2 leaves',
  ]);
  assert.deepEqual(names(), ['orders-1', 'orders-3']);
  assert.equal(steps.length, 6);
});

test('an instance that does not become ready is given up, and the old one stays', async () => {
  const { group, runtime, happened, isReady, names } = setUp(1);
  group.start();
  await isReady('orders-1');
  const refused = assert.rejects(
    group.restart(() => {}),
    (error) => hasReason(error, 'APP_RESTART_FAILED'),
  );
  await runtime.advance(60_000);
  await refused;
  assert.deepEqual(names(), ['orders-1']);
  assert.equal(happened.at(-1), 'orders-2 leaves');
});

test('a restart while one is under way is refused', async () => {
  const { group, isReady } = setUp(1);
  group.start();
  await isReady('orders-1');
  const first = group.restart(() => {});
  await assert.rejects(
    group.restart(() => {}),
    (error) => hasReason(error, 'APP_RESTART_UNDER_WAY'),
  );
  await isReady('orders-2');
  await first;
});

test('fixed ports belong to numbers, and an instance beyond them takes any', () => {
  const { group, happened } = setUp(3, [9001, 9002]);
  group.start();
  assert.deepEqual(happened, ['orders-1 starts at 9001', 'orders-2 starts at 9002', 'orders-3 starts']);
});
