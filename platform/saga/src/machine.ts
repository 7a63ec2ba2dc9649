import { unreachable } from '@souk/kernel';
import type { AnyDefinition, AnyStep, Json, SagaFailure } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { FailedOutcome, JournalRecord } from './journal.ts';
import { evolveByAction } from './machine-action.ts';
import {
  type MachineState,
  NO_ATTEMPTS,
  ON_COMPENSATED,
  type Signal,
  START,
  stepDone,
  withDoubt,
  withoutDoubt,
  withoutWait,
} from './machine-state.ts';

export { type MachineState, ON_COMPENSATED } from './machine-state.ts';

// The rules of a saga, without I/O and without a clock.
//
//   forward --TURNED--> backward --ENDED--> ended (COMPENSATED)
//   forward --ENDED--> ended (COMPLETED)          forward, backward --STUCK--> stuck --ACTION retry, skip, edit, compensate--> as before
//   not ended --ACTION pause--> the same, paused --ACTION resume--> the same      not ended --ENDED--> ended (TERMINATED)
//
// M1 state is a fold over the journal.  M2 undos run in reverse order of completion, doubtful steps first.
// M3 nothing turns back by itself once the saga is committed, or while its pivot may have happened.
// M4 no undo runs while a child that was started may still do something.
// M5 a saga with an undo that failed is never COMPENSATED unless a person waived it.

/** Attempts that may end in a defect: it might be a passing one, but repeating it for ever would hide it. */
export const DEFECT_ATTEMPTS = 5;

export const fold = (definition: AnyDefinition, records: readonly JournalRecord[]): MachineState =>
  records.reduce((state, record) => evolve(definition, state, record), START);

export function evolve(definition: AnyDefinition, state: MachineState, record: JournalRecord): MachineState {
  switch (record.kind) {
    case 'STARTED': {
      const { input, at: startedAt, deadlineAt, parent, key, tenant } = record;
      return { ...state, input, startedAt, deadlineAt, parent, key, tenant };
    }
    case 'STEP_DONE':
      return stepDone(state, record.step, record.result);
    case 'STEP_FAILED': {
      const failed = afterFailure(state, record);
      // A refusal by the pivot is an answer: it did not happen, whatever was in doubt before.
      if (record.outcome === 'refused' && record.step === definition.pivot) return withoutDoubt(failed, record.step);
      return mayHaveHappened(record.outcome) ? withDoubt(failed, record.step) : failed;
    }
    case 'NOT_DONE':
      return {
        ...withoutDoubt(state, record.step),
        failedAttempts: { ...state.failedAttempts, [record.step]: record.attempt },
        retryAt: { ...state.retryAt, [record.step]: 0 },
      };
    case 'SKIPPED':
      return { ...state, skipped: [...state.skipped, record.step] };
    case 'WAITING': {
      const { step, until, child, cancelled = false } = record;
      return { ...state, waits: { ...state.waits, [step]: { until, child, cancelled } } };
    }
    case 'TIMER':
      return stepDone(state, record.step, undefined);
    case 'SIGNALLED':
      return afterSignal(state, record);
    case 'CHILD':
      return afterChild(definition, state, record);
    case 'TURNED':
      return {
        ...state,
        phase: 'backward',
        direction: 'backward',
        failure: record.failure,
        stuck: undefined,
        cancel: undefined,
        toUndo: [...record.inDoubt, ...state.done.filter((step) => isCompensatable(definition, step)).reverse()],
        ...NO_ATTEMPTS,
      };
    case 'UNDO_DONE':
      return { ...state, error: undefined, toUndo: state.toUndo.filter((step) => step !== record.step) };
    case 'UNDO_FAILED':
      return afterFailure(state, record);
    case 'UNDO_GIVEN_UP':
      return {
        ...state,
        toUndo: state.toUndo.filter((step) => step !== record.step),
        givenUp: [...state.givenUp, record.failure],
      };
    case 'STUCK':
      return { ...state, phase: 'stuck', stuck: record.failure };
    case 'ACTION':
      return evolveByAction(state, record);
    case 'ENDED':
      return { ...state, phase: 'ended', paused: false, end: record.status };
    default:
      return unreachable(record);
  }
}

/** What is to be done next. */
export type Next =
  | { readonly is: 'run'; readonly steps: readonly AnyStep[] }
  /** Somebody asked to cancel: the saga turns back, or says that it is too late. */
  | { readonly is: 'cancel' }
  /** Children of a saga that turns back: those not yet asked to turn back too are to be asked, then all of them awaited. */
  | { readonly is: 'children'; readonly steps: readonly string[] }
  | { readonly is: 'undo'; readonly step: AnyStep }
  | { readonly is: 'close' }
  /** Everything that could be undone is: the rest is for a person. */
  | { readonly is: 'stick'; readonly failure: SagaFailure }
  | { readonly is: 'end'; readonly status: 'COMPLETED' | 'COMPENSATED' }
  | { readonly is: 'rest' };

export function decide(definition: AnyDefinition, state: MachineState): Next {
  if (state.phase === 'stuck' || state.phase === 'ended' || state.paused) return { is: 'rest' };
  if (state.cancel !== undefined && !isPivotOpen(definition, state)) return { is: 'cancel' };
  if (state.phase === 'forward') {
    const steps = openSteps(definition, state);
    return steps.length > 0 ? { is: 'run', steps } : { is: 'end', status: 'COMPLETED' };
  }
  const children = Object.keys(state.waits).filter((step) => state.waits[step]?.child !== undefined);
  if (children.length > 0) return { is: 'children', steps: children };
  const step = definition.steps.get(state.toUndo[0] ?? '');
  if (step !== undefined) return { is: 'undo', step };
  if (state.givenUp.length > 0) return { is: 'stick', failure: allFailedUndos(state.givenUp) };
  const closed = definition.onCompensated === undefined || state.waived.includes(ON_COMPENSATED);
  return closed ? { is: 'end', status: 'COMPENSATED' } : { is: 'close' };
}

/** The steps of the current group that are not done; empty when all groups are. */
export function openSteps(definition: AnyDefinition, state: MachineState): readonly AnyStep[] {
  const { groups } = definition;
  // Asked several times per step: as many steps as are settled are passed in one go.
  let passed = 0;
  const settled = state.done.length + state.skipped.length;
  for (const group of groups) {
    if (passed + group.length <= settled && group.every((step) => isSettled(state, step.name))) {
      passed += group.length;
      continue;
    }
    return passed === settled ? group : group.filter((step) => !isSettled(state, step.name));
  }
  return NO_STEPS;
}

const NO_STEPS: readonly AnyStep[] = Object.freeze([]);

export const isSettled = (state: MachineState, step: string): boolean =>
  state.done.includes(step) || state.skipped.includes(step);

/** True when there is only forward: the pivot is done or may be, or the saga has come to its retriable steps. */
export function isCommitted(definition: AnyDefinition, state: MachineState): boolean {
  const { pivot, committedFrom, groups } = definition;
  if (pivot !== undefined)
    return isSettled(state, pivot) || state.inDoubt.includes(pivot) || state.waits[pivot]?.child !== undefined;
  if (committedFrom === Number.POSITIVE_INFINITY) return false;
  for (let at = 0; at < committedFrom; at++) {
    if (groups[at]?.some((step) => !isSettled(state, step.name))) return false;
  }
  return true;
}

/** The pivot may have happened or not: what it says decides what else there is to do. */
const isPivotOpen = ({ pivot }: AnyDefinition, state: MachineState): boolean =>
  pivot !== undefined &&
  !isSettled(state, pivot) &&
  (state.inDoubt.includes(pivot) || state.waits[pivot]?.child !== undefined);

/** What follows from a failed attempt. */
export type Verdict = 'repeat' | 'turn' | 'stuck';

interface Attempted {
  readonly attempt: number;
  readonly outcome: FailedOutcome;
  readonly error: { readonly code: string; readonly reason: string };
  /** When the next attempt would begin, in milliseconds since 1970. */
  readonly retryAt: number;
}

/** @param state as it was after the attempt was recorded */
export function judgeStep(definition: AnyDefinition, state: MachineState, step: AnyStep, failed: Attempted): Verdict {
  const { attempt, outcome, error, retryAt } = failed;
  const { attempts, never } = step.retry;
  const forbidden = never.includes(error.code) || never.includes(error.reason);
  const late = retryAt > (state.since[step.name] ?? retryAt) + step.deadlineMs;
  const over = attempt >= attempts || forbidden || late;
  if (outcome === 'review') return 'stuck';
  if (outcome === 'refused') return isCommitted(definition, state) ? 'stuck' : 'turn';
  if (outcome === 'defect') return over || attempt >= DEFECT_ATTEMPTS ? 'stuck' : 'repeat';
  if (!over) return 'repeat';
  return isCommitted(definition, state) ? 'stuck' : 'turn';
}

/** @param step undefined for `onCompensated` */
export function judgeUndo(
  state: MachineState,
  step: AnyStep | undefined,
  name: string,
  { attempt, outcome, error }: Attempted,
  nowMs: number,
): Exclude<Verdict, 'turn'> {
  if (outcome === 'refused' || outcome === 'review') return 'stuck';
  if (outcome === 'defect') return attempt >= DEFECT_ATTEMPTS ? 'stuck' : 'repeat';
  const limits = step?.undoRetry;
  if (limits?.never.includes(error.code) || limits?.never.includes(error.reason)) return 'stuck';
  if (attempt >= (limits?.attempts ?? Number.POSITIVE_INFINITY)) return 'stuck';
  return nowMs >= (state.since[name] ?? nowMs) + (step?.undoForMs ?? CLOSE_FOR_MS) ? 'stuck' : 'repeat';
}

/** How long `onCompensated` is repeated. */
const CLOSE_FOR_MS = 24 * 3_600_000;

/** The saga turns back: compensatable steps that are not done but may have happened are undone too. */
export function turn(
  definition: AnyDefinition,
  state: MachineState,
  failure: SagaFailure,
): Extract<JournalRecord, { kind: 'TURNED' }> {
  const inDoubt = state.inDoubt.filter((step) => isCompensatable(definition, step) && !isSettled(state, step));
  return { kind: 'TURNED', failure, inDoubt };
}

/**
 * A worker was lost: each step that it may have been at may have happened, and that counts as an attempt. Those are the steps of the open
 * group, and when there are only reads and steps to be skipped in it the next group's too, because what reads leave in the journal may
 * have been lost with the worker.
 *
 * @param wanted Whether the step's condition lets it run.
 */
export function interrupted(
  definition: AnyDefinition,
  state: MachineState,
  nowMs: number,
  wanted: (step: AnyStep) => boolean,
): readonly Extract<JournalRecord, { kind: 'STEP_FAILED' }>[] {
  if (state.phase !== 'forward' || state.paused) return [];
  const { code, reason, message } = sagaErrors.WORKER_LOST();
  return underWay(definition, state, wanted).map(({ name: step }) => {
    const attempt = (state.failedAttempts[step] ?? 0) + 1;
    const retryAt = Math.max(nowMs, state.retryAt[step] ?? 0);
    const error = { code, reason, message };
    return { kind: 'STEP_FAILED', step, attempt, outcome: 'unknown', error, retryAt, at: nowMs };
  });
}

function underWay(
  definition: AnyDefinition,
  state: MachineState,
  wanted: (step: AnyStep) => boolean,
): readonly AnyStep[] {
  let afterReads = false;
  for (const group of definition.groups) {
    const open = group.filter((step) => !isSettled(state, step.name) && wanted(step));
    const changing = open.filter((step) => step.kind !== 'read' && step.work.is === 'run');
    if (changing.length > 0)
      return afterReads ? changing.filter((step) => !needsCommitBefore(step, 'reads')) : changing;
    if (open.some((step) => step.work.is !== 'run')) return [];
    afterReads ||= open.length > 0;
  }
  return [];
}

/** What was noted and is not in the journal yet: results of reads only, or that something waited for has come. */
export type Owed = 'nothing' | 'reads' | 'waits';

/**
 * True when what is owed must be committed before the step begins. Were the worker lost, nobody would know that the step may have
 * happened, and a saga that has passed its point of no return would look like one that has not. Only of a compensatable step behind
 * reads it does not matter: it is taken to have begun.
 */
export const needsCommitBefore = (step: AnyStep, owed: Owed): boolean =>
  step.kind !== 'read' &&
  step.work.is === 'run' &&
  (owed === 'waits' || (owed === 'reads' && step.kind !== 'compensatable'));

/** What the step sees as its input: an operator may have edited it. */
export const inputOf = (state: MachineState, step: string): Json =>
  step in state.inputs ? (state.inputs[step] ?? null) : state.input;

/** `<sagaId>/<step>`, and `~<n>` behind it once it was edited, or its child is started anew: it is other work then. */
export function keyOf(state: MachineState, sagaId: string, step: string): string {
  const revision = state.revisions[step] ?? 0;
  return revision === 0 ? `${sagaId}/${step}` : `${sagaId}/${step}~${revision}`;
}

export const mayHaveHappened = (outcome: FailedOutcome): boolean => outcome !== 'refused' && outcome !== 'failed';

export const isCompensatable = (definition: AnyDefinition, step: string): boolean =>
  definition.steps.get(step)?.kind === 'compensatable';

const afterFailure = (
  state: MachineState,
  record: Extract<JournalRecord, { kind: 'STEP_FAILED' | 'UNDO_FAILED' }>,
): MachineState => ({
  ...state,
  error: record.error,
  failedAttempts: { ...state.failedAttempts, [record.step]: record.attempt },
  retryAt: { ...state.retryAt, [record.step]: record.retryAt },
  since: { ...state.since, [record.step]: state.since[record.step] ?? record.at ?? record.retryAt },
});

export const CANCEL = '$cancel';
export const CHILD_ENDED = '$child';
export const ACTION = '$action';

function afterSignal(state: MachineState, record: Extract<JournalRecord, { kind: 'SIGNALLED' }>): MachineState {
  const { name, signalId, body, step } = record;
  const known = signalKey(record);
  const seen = state.seen.includes(known) ? state.seen : [...state.seen, known];
  if (name === CANCEL) {
    const { actor = '', reason = '' } = body as { actor?: string; reason?: string };
    return { ...state, seen, cancel: { actionId: signalId, actor, reason } };
  }
  // A signal that came before it was waited for is recorded twice: when it came, and with the step it then ended.
  const signals: readonly Signal[] = state.signals.filter((one) => signalKey(one) !== known);
  if (step !== undefined) return { ...stepDone(state, step, body), seen, signals };
  return { ...state, seen, signals: name.startsWith('$') ? signals : [...signals, { name, signalId, body }] };
}

export const signalKey = ({ name, signalId }: { readonly name: string; readonly signalId: string }): string =>
  `${name}/${signalId}`;

function afterChild(
  definition: AnyDefinition,
  state: MachineState,
  record: Extract<JournalRecord, { kind: 'CHILD' }>,
): MachineState {
  const { step, status, child } = record;
  const seen = [...state.seen, signalKey({ name: CHILD_ENDED, signalId: child })];
  const backward = state.direction === 'backward';
  if (status === 'COMPLETED') {
    const done = stepDone({ ...state, seen }, step, record.result);
    // It was over before it heard that its parent turns back: undone as what was completed last.
    return backward && isCompensatable(definition, step) ? { ...done, toUndo: [step, ...done.toUndo] } : done;
  }
  const over = withoutWait({ ...state, seen, childEnds: { ...state.childEnds, [step]: record } }, step);
  if (status === 'COMPENSATED') return over;
  // Given up halfway: nobody knows what is left of it.
  const doubtful = withDoubt(over, step);
  return backward && isCompensatable(definition, step) ? { ...doubtful, toUndo: [step, ...over.toUndo] } : doubtful;
}

function allFailedUndos(givenUp: readonly SagaFailure[]): SagaFailure {
  const steps = givenUp.map(({ step }) => step).join(', ');
  const { code, reason, message } = sagaErrors.UNDO_FAILED({ steps });
  return { step: givenUp[0]?.step ?? '', code, reason, message };
}
