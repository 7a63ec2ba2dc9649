import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SagaStep_State as State } from '@souk/contracts/admin/v1/sagas';
import type { Json, SagaEvent, SagaLine } from '@souk/saga';
import { detailsMessage } from './saga-messages.ts';
import { stepsOf } from './saga-steps.ts';

const SHAPE =
  'check:read reserve:compensatable pay:compensatable confirm:pivot capture:retriable+commit:retriable ship:retriable';

const saga = (more: Partial<SagaLine>): SagaLine => ({
  ...{ id: 'o1', name: 'place-order', version: 1, status: 'RUNNING', direction: 'forward', step: undefined, seq: 1 },
  ...{ error: undefined, key: undefined, tenant: undefined, startedAt: new Date(0), updatedAt: new Date(0) },
  ...{ wakeAt: undefined, deadlineAt: undefined, owner: undefined, parent: undefined, claims: 0 },
  ...more,
});
const journal = (...records: [kind: string, step?: string | undefined, body?: Json][]): SagaEvent[] =>
  records.map(([kind, step, body = {}], index) => ({
    ...{ seq: index + 1, kind, step, body, at: new Date(index), attempt: kind.startsWith('STEP') ? 1 : undefined },
  }));
const states = (line: Partial<SagaLine>, records: SagaEvent[]): Record<string, string | undefined> =>
  Object.fromEntries(
    stepsOf(SHAPE, saga(line), records).map(({ name, state }) => [name as string, State[state as State]]),
  );
const done = (...names: string[]): [string, string][] => names.map((name) => ['STEP_DONE', name]);

test('going forward: what is done, what is under way, and what is still open', () => {
  assert.deepEqual(states({}, journal(['STARTED'], ...done('check', 'reserve', 'pay', 'confirm', 'commit'))), {
    ...{ check: 'DONE', reserve: 'DONE', pay: 'DONE', confirm: 'DONE', commit: 'DONE' },
    ...{ capture: 'CURRENT', ship: 'OPEN' },
  });
});

test('stuck: the step it is stuck on has failed, the others are what they were', () => {
  const records = journal(['STARTED'], ...done('check'), ['STEP_FAILED', 'reserve', { retryAt: 5 }], ['STUCK']);
  assert.partialDeepStrictEqual(states({ status: 'STUCK', step: 'reserve' }, records), {
    ...{ check: 'DONE', reserve: 'FAILED', pay: 'OPEN' },
  });
});

test('going back: what was done or may have been is to be undone, the rest is not', () => {
  const records = journal(
    ...([['STARTED'], ...done('check', 'reserve')] as [string, string?][]),
    ['STEP_FAILED', 'pay', { outcome: 'unknown' }],
    ['TURNED', undefined, { inDoubt: ['pay'] }],
  );
  const before = { check: 'DONE', reserve: 'TO_UNDO', pay: 'TO_UNDO', confirm: 'OPEN' };
  assert.partialDeepStrictEqual(states({ direction: 'backward' }, records), before);
  const undone = [
    ...records,
    ...journal(['', ''], ['', ''], ['', ''], ['', ''], ['', ''], ['UNDO_DONE', 'pay']).slice(5),
  ];
  const waived = {
    seq: 7,
    kind: 'ACTION',
    step: 'reserve',
    attempt: undefined,
    at: new Date(7),
    body: { action: 'skip' },
  };
  assert.partialDeepStrictEqual(states({ direction: 'backward' }, [...undone, waived]), {
    ...{ reserve: 'WAIVED', pay: 'UNDONE' },
  });
});

test('by hand, by condition and waiting are states of their own', () => {
  const records = journal(
    ['STARTED'],
    ['SKIPPED', 'check'],
    ['ACTION', 'reserve', { action: 'skip', actor: 'usr_1', reason: 'by hand', result: { id: 1 } }],
    ['WAITING', 'pay', { until: 5000, signal: 'paid' }],
  );
  const steps = stepsOf(SHAPE, saga({ status: 'WAITING' }), records);
  assert.deepEqual(
    steps.slice(0, 3).map(({ state }) => State[state as State]),
    ['LEFT_OUT', 'SKIPPED', 'WAITING'],
  );
  assert.equal(steps[2]?.waitsFor, 'signal paid');
});

test('what can be done follows from where the saga is', () => {
  const possible = (line: Partial<SagaLine>, records: SagaEvent[]) =>
    detailsMessage('orders', { saga: saga(line), shape: SHAPE, records }).actions?.map(
      ({ action, needsForce }) => `${action}${needsForce ? ' force' : ''}`,
    );
  const early = journal(['STARTED'], ...done('check'), ['STEP_FAILED', 'reserve']);
  const late = journal(['STARTED'], ...done('check', 'reserve', 'pay', 'confirm'), ['STEP_FAILED', 'capture']);
  assert.deepEqual(possible({ status: 'STUCK', step: 'reserve' }, early), ['1', '2', '3', '4', '5', '6']);
  assert.deepEqual(possible({ status: 'STUCK', step: 'capture' }, late), ['1', '2', '3', '4 force', '6']);
  assert.deepEqual(possible({ status: 'PAUSED' }, early), ['4', '5', '8', '6']);
  assert.deepEqual(possible({ status: 'COMPLETED' }, late), []);
});

test('what an operator did is told with who and why, and the input is given whole', () => {
  const records = journal(
    ['STARTED', undefined, { input: { userId: 'usr_2' } }],
    [
      'STEP_FAILED',
      'check',
      { outcome: 'refused', error: { code: 'not_found', reason: 'X', message: 'gone' }, retryAt: 1 },
    ],
    ['ACTION', undefined, { action: 'terminate', actor: 'usr_1', reason: 'ticket 4711', at: 1 }],
  );
  const details = detailsMessage('orders', { saga: saga({ status: 'TERMINATED' }), shape: SHAPE, records });
  assert.partialDeepStrictEqual(details.records?.[1], { outcome: 'refused', error: { step: 'check', reason: 'X' } });
  assert.partialDeepStrictEqual(details.records?.[2], { actor: 'usr_1', reason: 'ticket 4711', action: 6 });
  assert.ok(details.input);
});
