import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import type { Status } from '../state/catalog.ts';
import type { CheckDefinition } from './definition.ts';
import type { probe } from './probe.ts';
import type { ProbeResult } from './probe-result.ts';
import { createCheckRunner } from './runner.ts';
import { createTargetGuard } from './target-guard.ts';

const definition: CheckDefinition = {
  ...{ id: 'c', name: 'n', notes: '', serviceId: 's', status: 'critical', ttlMs: 0, intervalMs: 10_000 },
  ...{ timeoutMs: 5000, target: { kind: 'tcp', address: '127.0.0.1:1' }, maxOutputBytes: 10 },
  ...{ deregisterAfterMs: undefined, successBeforePassing: 1, failuresBeforeWarning: 99, failuresBeforeCritical: 2 },
};

function setUp(ask: typeof probe) {
  const runtime = virtualRuntime();
  const told: Array<Status | undefined> = [];
  const outputs: string[] = [];
  const guard = createTargetGuard(['127.0.0.0/8']);
  const onResult = (_check: CheckDefinition, status: Status | undefined, { output }: ProbeResult): void => {
    told.push(status);
    outputs.push(output);
  };
  return { runtime, told, outputs, runner: createCheckRunner({ runtime, guard, onResult, ask }) };
}

test('one failure is no news, two in a row are critical, one success passes', async () => {
  const results: Status[] = ['passing', 'critical', 'passing', 'critical', 'critical', 'passing'];
  const { runtime, told, runner } = setUp(async () => ({ status: results.shift() ?? 'passing', output: '' }));
  runner.start(definition);
  await runtime.advance(60_000);
  runner.stopAll();
  assert.deepEqual(told.slice(0, 6), ['passing', undefined, 'passing', undefined, 'critical', 'passing']);
  assert.equal(runtime.pendingTimers, 0);
});

test('the first probe comes at random within the interval, and then each interval', async () => {
  const { runtime, told, runner } = setUp(async () => ({ status: 'passing', output: '' }));
  for (let count = 0; count < 100; count += 1) runner.start({ ...definition, id: String(count) });
  await runtime.advance(5000);
  assert.ok(told.length > 20 && told.length < 80, `${told.length} of 100`);
  await runtime.advance(5000);
  assert.equal(told.length, 100);
  await runtime.advance(10_000);
  assert.equal(told.length, 200);
  runner.stopAll();
});

test('a probe that never ends is critical after its timeout, and the next one comes', async () => {
  const { runtime, told, outputs, runner } = setUp(() => new Promise(() => {}));
  runner.start({ ...definition, failuresBeforeCritical: 1 });
  await runtime.advance(30_000);
  runner.stopAll();
  assert.deepEqual(told, ['critical', 'critical']);
  assert.match(outputs[0] ?? '', /timed out/);
});

test('a check that was stopped tells nothing, also of a probe under way', async () => {
  const answer = Promise.withResolvers<ProbeResult>();
  const { runtime, told, runner } = setUp(() => answer.promise);
  runner.start(definition);
  await runtime.advance(10_000);
  runner.stop('c');
  answer.resolve({ status: 'passing', output: '' });
  await runtime.settle();
  assert.deepEqual(told, []);
  assert.equal(runner.running, 0);
  assert.equal(runtime.pendingTimers, 0);
});
