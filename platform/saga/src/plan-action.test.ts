import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newTrace, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { saga } from './builder.ts';
import type { AnyDefinition } from './definition.ts';
import { type ActionName, fromRow, type JournalRecord, toRow } from './journal.ts';
import { decide, evolve, fold, turn } from './machine.ts';
import { type ActionRequest, placeOf, planAction } from './plan-action.ts';

const run = async () => {};
const undo = async () => {};
const definition = saga<null, null>('s', 1)
  .step('a', { kind: 'compensatable', run, undo })
  .step('b', { kind: 'compensatable', run, undo })
  .step('p', { kind: 'pivot', run })
  .step('r', { kind: 'retriable', run })
  .onCompensated(run)
  .define() as unknown as AnyDefinition;

const error = { code: 'unavailable', reason: 'X', message: 'x' };
const failure = { step: 'b', ...error };
const started: JournalRecord = {
  kind: 'STARTED',
  input: null,
  at: 1,
  deadlineAt: 100,
  trace: newTrace(virtualRuntime(), true),
  parent: { sagaId: 'mother', step: 'kid' },
};
const done = (step: string): JournalRecord => ({ kind: 'STEP_DONE', step, attempt: 1, result: step });
const failed = (step: string, outcome: 'refused' | 'unknown' | 'failed'): JournalRecord => ({
  kind: 'STEP_FAILED',
  step,
  attempt: 5,
  outcome,
  error,
  retryAt: 5,
  at: 4,
});
const stuck = (step: string): JournalRecord => ({ kind: 'STUCK', failure: { step, ...error } });
const after = (...records: JournalRecord[]) => fold(definition, [started, ...records]);
const ask = (action: ActionName, more: Partial<ActionRequest> = {}): ActionRequest => ({
  sagaId: 's',
  action,
  actionId: '1',
  actor: 'usr_1',
  reason: 'because',
  at: 9,
  ...more,
});
const plan = (state: ReturnType<typeof after>, request: ActionRequest) => {
  const planned = planAction(definition, state, request);
  if ('refused' in planned) return planned.refused.message;
  return planned.records.reduce((now, record) => evolve(definition, now, record), state);
};
const refused = (state: ReturnType<typeof after>, request: ActionRequest): string => {
  const said = plan(state, request);
  return typeof said === 'string' ? said : assert.fail('was not refused');
};
const allowed = (state: ReturnType<typeof after>, request: ActionRequest) => {
  const now = plan(state, request);
  return typeof now === 'string' ? assert.fail(now) : now;
};

test('a retry gives a stuck saga its direction and all its attempts back', () => {
  const forward = allowed(after(done('a'), failed('b', 'failed'), stuck('b')), ask('retry'));
  assert.equal(forward.phase, 'forward');
  assert.deepEqual(forward.failedAttempts, {});
  const state = after(done('a'), failed('b', 'unknown'));
  const turned = turn(definition, state, failure);
  const back = allowed(after(done('a'), failed('b', 'unknown'), turned, stuck('b')), ask('retry'));
  assert.equal(back.phase, 'backward');
  assert.deepEqual(back.toUndo, ['b', 'a']);
  assert.equal(back.failure?.step, 'b', 'why it turned back is not lost');
});

test('a skipped step is done with the result that was given, a skipped undo is waived for ever', () => {
  const forward = allowed(after(done('a'), stuck('b')), ask('skip', { result: 'by hand' }));
  assert.deepEqual(forward.done, ['a', 'b']);
  assert.equal(forward.results.b, 'by hand');
  const turned = turn(definition, after(done('a'), done('b')), failure);
  const back = allowed(after(done('a'), done('b'), turned, stuck('b')), ask('skip'));
  assert.deepEqual(back.toUndo, ['a']);
  assert.deepEqual(back.waived, ['b']);
  const closing = allowed({ ...back, toUndo: [] }, ask('skip', { actionId: '2' }));
  assert.deepEqual(decide(definition, closing), { is: 'end', status: 'COMPENSATED' });
  assert.match(refused(after(), ask('skip', { step: 'r' })), /r is not among what is open: a/);
});

test('an edit needs force once the step may have happened', () => {
  assert.match(refused(after(done('a'), failed('b', 'unknown'), stuck('b')), ask('edit', { input: 1 })), /force/);
  const known = allowed(after(done('a'), failed('b', 'failed'), stuck('b')), ask('edit', { input: 1 }));
  assert.deepEqual([known.inputs, known.revisions, known.phase], [{ b: 1 }, { b: 1 }, 'forward']);
  allowed(after(done('a'), failed('b', 'unknown'), stuck('b')), ask('edit', { input: 1, force: true }));
});

test('behind the point of no return, or while it is in doubt, taking back needs force and cancelling is refused', () => {
  const before = after(done('a'), done('b'));
  assert.deepEqual(allowed(before, ask('compensate')).toUndo, ['b', 'a']);
  assert.equal(allowed(before, ask('cancel')).failure?.reason, 'SAGA_CANCELLED');
  for (const record of [done('p'), failed('p', 'unknown')]) {
    const late = after(done('a'), done('b'), record);
    assert.match(refused(late, ask('compensate')), /force/);
    assert.match(refused(late, ask('cancel')), /point of no return/);
    assert.deepEqual(allowed(late, ask('compensate', { force: true })).toUndo, ['b', 'a']);
  }
});

test('what is given up tells its parent, and nothing can be done to it any more', () => {
  const planned = planAction(definition, after(done('a')), ask('terminate'));
  assert.ok(!('refused' in planned));
  assert.deepEqual(
    planned.sends.map(({ sagaId, name, signalId }) => ({ sagaId, name, signalId })),
    [{ sagaId: 'mother', name: '$child', signalId: 's' }],
  );
  const ended = allowed(after(done('a')), ask('terminate'));
  assert.equal(placeOf(definition, ended).status, 'TERMINATED');
  for (const action of ['retry', 'skip', 'edit', 'compensate', 'terminate', 'cancel', 'pause', 'resume'] as const)
    assert.match(refused(ended, ask(action, { actionId: '2' })), /has ended TERMINATED/);
});

test('a paused saga rests until it is resumed', () => {
  const paused = allowed(after(done('a')), ask('pause'));
  assert.deepEqual(decide(definition, paused), { is: 'rest' });
  assert.equal(placeOf(definition, paused).status, 'PAUSED');
  assert.equal(placeOf(definition, paused).step, 'b');
  const resumed = allowed(paused, ask('resume', { actionId: '2' }));
  assert.equal(decide(definition, resumed).is, 'run');
});

test('the same action is done once, and each needs a reason', () => {
  const paused = allowed(after(), ask('pause'));
  assert.deepEqual(planAction(definition, paused, ask('pause')), { records: [], sends: [] });
  assert.match(refused(after(), ask('pause', { reason: ' ' })), /reason/);
});

test('whatever operators do, no saga is COMPENSATED with something left to undo unless they waived it', () => {
  const step = fc.constantFrom('a', 'b', 'p', 'r', undefined);
  const request = fc.record({
    action: fc.constantFrom<ActionName>('retry', 'skip', 'edit', 'compensate', 'cancel', 'pause', 'resume'),
    step,
    force: fc.boolean(),
  });
  const event = fc.oneof(
    request.map((asked) => ({ is: 'action' as const, ...asked })),
    fc.constantFrom('done' as const, 'refused' as const, 'unknown' as const).map((is) => ({ is })),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 25, size: 'max' }), (events) => {
      let records: JournalRecord[] = [started];
      const undone = new Set<string>();
      events.forEach((one, n) => {
        const state = fold(definition, records);
        if (one.is === 'action') {
          const { step: named, action, force } = one;
          const asked = ask(action, { actionId: `${n}`, force, ...(named !== undefined && { step: named }) });
          const planned = planAction(definition, state, asked);
          if (!('refused' in planned)) records = [...records, ...planned.records];
          return;
        }
        const next = decide(definition, state);
        if (next.is === 'run') {
          const name = next.steps[0]?.name ?? '';
          if (one.is === 'done') records.push(done(name));
          else records.push(failed(name, one.is), ...(one.is === 'refused' ? [stuck(name)] : []));
        } else if (next.is === 'undo') {
          if (one.is === 'done') {
            undone.add(next.step.name);
            records.push({ kind: 'UNDO_DONE', step: next.step.name, attempt: 1 });
          } else records.push(stuck(next.step.name));
        } else if (next.is === 'close') records.push({ kind: 'ENDED', status: 'COMPENSATED' });
        else if (next.is === 'end') records.push({ kind: 'ENDED', status: next.status });
      });
      const state = fold(definition, records);
      assert.deepEqual(
        fold(
          definition,
          records.map((record, index) => fromRow(JSON.parse(JSON.stringify(toRow(record, index))))),
        ),
        state,
        'the journal says all',
      );
      if (state.end === 'COMPENSATED')
        for (const name of ['a', 'b'])
          assert.ok(!state.done.includes(name) || undone.has(name) || state.waived.includes(name), name);
      if (state.end === 'COMPLETED') assert.deepEqual(state.done.toSorted(), ['a', 'b', 'p', 'r']);
    }),
    { numRuns: 500 },
  );
});
