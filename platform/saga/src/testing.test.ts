import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { saga } from './index.ts';
import { givenHistory, recordHistory, recordsOf, replayHistories, simulate } from './testing.ts';

const work = async () => {};
const parcel = saga<unknown, null>('parcel', 1).step('pack', { kind: 'compensatable', run: work, undo: work }).define();
const declare = (third: 'charge' | 'bill') =>
  saga<unknown, { readonly gift: boolean }>('buy', 1)
    .step('reserve', { kind: 'compensatable', run: work, undo: work })
    .step('wrap', { kind: 'compensatable', when: ({ input }) => input.gift, run: work, undo: work })
    .step(third, { kind: 'pivot', run: work, resolve: async () => 'unknown', retry: { attempts: 3 } })
    .step('ship', { kind: 'retriable', run: work })
    .define();
const buy = declare('charge');
const input = { gift: false };

test('a script of outcomes runs in virtual time, with the keys of every call', async () => {
  const run = await simulate(buy, { input, script: { charge: ['unknown', 'refused'] } });
  assert.equal(run.status, 'COMPLETED');
  assert.deepEqual(
    run.calls.map(({ call, key, attempt }) => [call, key, attempt]),
    [
      ['reserve', 'saga/reserve', 1],
      ['charge', 'saga/charge', 1],
      ['charge/resolve', 'saga/charge', 2],
      ['ship', 'saga/ship', 1],
    ],
  );
  assert.equal(run.effects.get('charge'), 'done');
});

test('a refusal before the pivot undoes what was done, also when the undo needs more than one attempt', async () => {
  const run = await simulate(buy, {
    input: { gift: true },
    script: { charge: ['silent', 'refused'], 'charge/resolve': ['not-done'], 'reserve/undo': ['failed', 'ok'] },
  });
  assert.equal(run.status, 'COMPENSATED');
  assert.deepEqual(run.kinds, [
    'STARTED',
    'STEP_DONE reserve',
    'STEP_DONE wrap',
    'STEP_FAILED charge',
    'NOT_DONE charge',
    'STEP_FAILED charge',
    'TURNED',
    'UNDO_DONE wrap',
    'UNDO_FAILED reserve',
    'UNDO_DONE reserve',
    'ENDED',
  ]);
  assert.deepEqual([run.effects.get('reserve'), run.effects.get('wrap')], ['undone', 'undone']);
  assert.equal(run.failure?.step, 'charge');
});

test('a process that dies at any of its awaits changes nothing but the time', async () => {
  const { points } = await simulate(buy, { input });
  assert.ok(points > 10);
  for (let point = 1; point <= points; point++) {
    const run = await simulate(buy, { input, crashAfter: point });
    assert.equal(run.status, 'COMPLETED', `killed at await ${point}`);
  }
  const after = await simulate(buy, { input, crashAfter: 'reserve' });
  assert.deepEqual(after.kinds.slice(0, 3), ['STARTED', 'STEP_FAILED reserve', 'STEP_DONE reserve']);
});

test('days of waiting pass at once; signals, cancellations and operators come at their times', async () => {
  const slow = saga<unknown, null>('slow', 1)
    .deadline('10d')
    .step('a', { kind: 'compensatable', run: work, undo: work })
    .sleep('nap', '3d')
    .waitFor('word', { signal: 'go', timeout: '2d', onTimeout: 'turn' })
    .child('parcel', { kind: 'compensatable', saga: parcel, input: () => null, undo: work })
    .define();
  const heard = await simulate(slow, { input: null, signals: [{ at: '4d', name: 'go' }] });
  assert.equal(heard.status, 'COMPLETED');
  assert.ok(heard.tookMs >= 4 * 86_400_000 && heard.tookMs < 4 * 86_400_000 + 60_000, `${heard.tookMs}`);
  assert.equal(heard.children.get('parcel'), 'COMPLETED');
  assert.equal((await simulate(slow, { input: null })).failure?.reason, 'SAGA_SIGNAL_TIMED_OUT');
  const cancelled = await simulate(slow, { input: null, cancelAt: '1d' });
  assert.deepEqual([cancelled.status, cancelled.failure?.reason], ['COMPENSATED', 'SAGA_CANCELLED']);
  const small = await simulate(slow, {
    input: null,
    signals: [{ at: 0, name: 'go' }],
    script: { 'parcel/pack': ['refused'] },
  });
  assert.deepEqual([small.status, small.failure?.step], ['COMPENSATED', 'parcel']);
});

test('what is STUCK goes on when an operator says so', async () => {
  const script = { ship: ['refused'] as const };
  assert.equal((await simulate(buy, { input, script })).status, 'STUCK');
  const run = await simulate(buy, { input, script, actions: [{ at: '1h', action: 'retry' }] });
  assert.equal(run.status, 'COMPLETED');
  assert.ok(run.kinds.includes('ACTION') && run.tookMs >= 3_600_000);
});

test('with dependencies the steps do their own work', async () => {
  const own = saga<{ readonly log: string[] }, null>('own', 1)
    .step('a', { kind: 'read', run: async (_ctx, { attempt }, { log }) => ({ length: log.push(`a${attempt}`) }) })
    .step('b', { kind: 'retriable', run: async (_ctx, { results }, { log }) => void log.push(`b${results.a.length}`) })
    .define();
  const log: string[] = [];
  await simulate(own, { input: null, deps: { log }, script: { a: ['failed'] } });
  assert.deepEqual(log, ['a2', 'b1']);
});

test('a script that names no step is refused', async () => {
  await assert.rejects(simulate(buy, { input, script: { chrage: ['ok'] } }), /no step chrage in buy@1/);
});

test('given a journal, it is said what comes next', async () => {
  const records = recordsOf(await simulate(buy, { input, script: { ship: ['refused'] } }));
  givenHistory(buy, records.slice(0, 1)).then('run reserve');
  givenHistory(buy, records.slice(0, 2)).then('skip wrap');
  givenHistory(buy, records).then('rest');
  const action = { kind: 'ACTION', action: 'retry', actionId: 'a', actor: 'kim', reason: 'again', at: 0 } as const;
  givenHistory(buy, records).when(action).then('run ship');
  assert.throws(() => givenHistory(buy, records).then('run ship'), /rest/);
});

test('recorded histories mean what they meant, and a change under the same version is named', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-histories-'));
  t.after(() => rm(folder, { recursive: true }));
  await recordHistory(folder, 'happy', await simulate(buy, { input }));
  await recordHistory(folder, 'refused', await simulate(buy, { input, script: { charge: ['refused'] } }));
  assert.equal(await replayHistories([buy], folder), 2);
  await assert.rejects(replayHistories([declare('bill')], folder), /place 3 was charge:pivot, and is now bill:pivot/);
  await assert.rejects(replayHistories([parcel], folder), /buy@1 is not declared any more/);
  const always = saga<unknown, { readonly gift: boolean }>('buy', 1)
    .step('reserve', { kind: 'compensatable', run: work, undo: work })
    .step('wrap', { kind: 'compensatable', run: work, undo: work })
    .step('charge', { kind: 'pivot', run: work })
    .step('ship', { kind: 'retriable', run: work })
    .define();
  await assert.rejects(
    replayHistories([always], folder),
    /STEP_DONE reserve\) it was to skip wrap, and is now to run wrap/,
  );
});
