import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTrace, virtualRuntime } from '@souk/kernel';
import { saga } from './builder.ts';
import type { AnyDefinition } from './definition.ts';
import type { JournalRecord } from './journal.ts';
import { fromRow, toRow } from './journal.ts';
import { decide, fold, interrupted, isCommitted, judgeStep, turn } from './machine.ts';

const run = async () => {};
const undo = async () => {};
const definition = saga<null, null>('s', 1)
  .step('a', { kind: 'compensatable', run, undo })
  .parallel((group) =>
    group.step('b1', { kind: 'compensatable', run, undo }).step('b2', { kind: 'compensatable', run, undo }),
  )
  .step('p', { kind: 'pivot', run })
  .step('r', { kind: 'retriable', run })
  .define() as unknown as AnyDefinition;

const started: JournalRecord = {
  kind: 'STARTED',
  input: null,
  at: 1,
  deadlineAt: 100,
  trace: newTrace(virtualRuntime(), true),
};
const done = (step: string): JournalRecord => ({ kind: 'STEP_DONE', step, attempt: 1, result: step });
const error = { code: 'unavailable', reason: 'X', message: 'x' };
const unknown = (step: string): JournalRecord => ({
  kind: 'STEP_FAILED',
  step,
  attempt: 1,
  outcome: 'unknown',
  error,
  retryAt: 5,
});
const stateAfter = (...records: JournalRecord[]) => fold(definition, [started, ...records]);
const pivot = definition.groups[2]![0]!;
const failure = { step: 'b2', ...error };

test('the steps of a group are open together, the next group only after all of them', () => {
  const open = (...records: JournalRecord[]) => {
    const next = decide(definition, stateAfter(...records));
    return next.is === 'run' ? next.steps.map((step) => step.name) : next.is;
  };
  assert.deepEqual(open(), ['a']);
  assert.deepEqual(open(done('a')), ['b1', 'b2']);
  assert.deepEqual(open(done('a'), done('b2')), ['b1']);
  assert.deepEqual(open(done('a'), done('b2'), done('b1')), ['p']);
  assert.equal(open(done('a'), done('b2'), done('b1'), done('p'), done('r')), 'end');
});

test('a saga turns back from what may have happened first, then in reverse order of completion', () => {
  const before = stateAfter(done('a'), done('b1'), unknown('b2'));
  const back = fold(definition, [started, done('a'), done('b1'), unknown('b2'), turn(definition, before, failure)]);
  assert.deepEqual(back.toUndo, ['b2', 'b1', 'a']);
});

test('what the lost worker was doing may have happened', () => {
  const state = stateAfter(done('a'));
  const after = fold(definition, [started, done('a'), ...interrupted(definition, state, 10, () => true)]);
  assert.deepEqual(after.inDoubt, ['b1', 'b2']);
});

test('a pivot in doubt commits the saga, and only its own answer frees it', () => {
  const upTo = [done('a'), done('b1'), done('b2')];
  assert.equal(isCommitted(definition, stateAfter(...upTo)), false);
  const state = stateAfter(...upTo, unknown('p'));
  assert.equal(isCommitted(definition, state), true);
  const refused = stateAfter(...upTo, unknown('p'), {
    ...unknown('p'),
    attempt: 2,
    outcome: 'refused',
  } as JournalRecord);
  assert.equal(judgeStep(definition, state, pivot, { attempt: 20, outcome: 'failed', error, retryAt: 0 }), 'stuck');
  assert.equal(judgeStep(definition, refused, pivot, { attempt: 2, outcome: 'refused', error, retryAt: 0 }), 'turn');
});

test('a record comes back from its row as it was', () => {
  const records: JournalRecord[] = [
    started,
    done('a'),
    unknown('b1'),
    { kind: 'TURNED', failure, inDoubt: ['b1'] },
    { kind: 'UNDO_DONE', step: 'a', attempt: 2 },
    { kind: 'WAITING', step: 'w', until: null, child: 's/w', cancelled: true },
    { kind: 'SIGNALLED', name: 'go', signalId: '1', body: { x: 1 }, step: 'w' },
    { kind: 'SIGNALLED', name: '$cancel', signalId: '1', body: null },
    { kind: 'TIMER', step: 'w' },
    { kind: 'ACTION', action: 'skip', actionId: '1', actor: 'u', reason: 'r', step: 'a', result: 1, at: 3 },
    { kind: 'CHILD', step: 'w', child: 's/w', status: 'COMPENSATED', failure },
    { kind: 'SKIPPED', step: 'a' },
    { kind: 'UNDO_GIVEN_UP', step: 'a', failure },
    { kind: 'NOT_DONE', step: 'p', attempt: 2 },
    { kind: 'STUCK', failure },
    { kind: 'ENDED', status: 'COMPENSATED' },
  ];
  for (const record of records) assert.deepEqual(fromRow(JSON.parse(JSON.stringify(toRow(record, 1)))), record);
});

test('a step is taken for begun behind reads, never behind what was waited for', () => {
  const behind = saga<null, null>('s', 1)
    .step('look', { kind: 'read', run })
    .step('a', { kind: 'compensatable', run, undo })
    .waitFor('go', { signal: 'go', onTimeout: 'turn' })
    .step('b', { kind: 'compensatable', run, undo })
    .define() as unknown as AnyDefinition;
  const begun = (...records: JournalRecord[]) =>
    interrupted(behind, fold(behind, [started, ...records]), 10, () => true).map((record) => record.step);
  assert.deepEqual(begun(), ['a']);
  assert.deepEqual(begun(done('look'), done('a')), []);
  assert.deepEqual(begun(done('look'), done('a'), { kind: 'TIMER', step: 'go' }), ['b']);
});

test('a journal of a release that knew less is read', () => {
  const old = [
    started,
    done('a'),
    { kind: 'STEP_FAILED', step: 'b1', attempt: 1, outcome: 'unknown', error, retryAt: 5 },
    { kind: 'TURNED', failure, inDoubt: ['b1'], undoUntil: 500 },
    { kind: 'UNDO_FAILED', step: 'b1', attempt: 1, outcome: 'failed', error, retryAt: 7 },
  ] as JournalRecord[];
  const state = fold(definition, old);
  assert.deepEqual(state.toUndo, ['b1', 'a']);
  assert.equal(state.since.b1, 7);
});
