import { unreachable } from '@souk/kernel';
import type { AnyDefinition, AnyStep, Json, SagaFailure } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { FailedOutcome, JournalRecord } from './journal.ts';

// The rules of a saga, without I/O and without a clock.
//
//   forward --TURNED--> backward --ENDED--> ended (COMPENSATED)
//   forward --ENDED--> ended (COMPLETED)          forward, backward --STUCK--> stuck
//
// M1 state is a fold over the journal.  M2 undos run in reverse order of completion, doubtful steps first.
// M3 nothing turns back once the saga is committed, or while its pivot may have happened.

/** Stands for `onCompensated` where a step is named. No step can be called so. */
export const ON_COMPENSATED = 'onCompensated';
/** How long undos are repeated before the saga is STUCK. */
export const UNDO_FOR_MS = 24 * 3_600_000;
/** Attempts that may end in a defect: it might be a passing one, but repeating it for ever would hide it. */
export const DEFECT_ATTEMPTS = 5;

export interface MachineState {
  readonly phase: 'forward' | 'backward' | 'stuck' | 'ended';
  readonly direction: 'forward' | 'backward';
  readonly input: Json;
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly results: Readonly<Record<string, Json | undefined>>;
  /** Steps that are done, in order of completion. */
  readonly done: readonly string[];
  /** Steps with an attempt that may have happened. */
  readonly inDoubt: readonly string[];
  /** Attempts that failed since the step was begun, by step; undos start again at 0. */
  readonly failedAttempts: Readonly<Record<string, number>>;
  readonly retryAt: Readonly<Record<string, number>>;
  /** What is still to be undone; the first is next. */
  readonly toUndo: readonly string[];
  readonly undoUntil: number;
  readonly failure: SagaFailure | undefined;
  readonly end: 'COMPLETED' | 'COMPENSATED' | undefined;
}

const EMPTY: MachineState = {
  phase: 'forward',
  direction: 'forward',
  input: null,
  startedAt: 0,
  deadlineAt: Number.POSITIVE_INFINITY,
  results: {},
  done: [],
  inDoubt: [],
  failedAttempts: {},
  retryAt: {},
  toUndo: [],
  undoUntil: Number.POSITIVE_INFINITY,
  failure: undefined,
  end: undefined,
};

export const fold = (definition: AnyDefinition, records: readonly JournalRecord[]): MachineState =>
  records.reduce((state, record) => evolve(definition, state, record), EMPTY);

export function evolve(definition: AnyDefinition, state: MachineState, record: JournalRecord): MachineState {
  switch (record.kind) {
    case 'STARTED':
      return { ...state, input: record.input, startedAt: record.at, deadlineAt: record.deadlineAt };
    case 'STEP_DONE':
      return {
        ...state,
        results: { ...state.results, [record.step]: record.result },
        done: [...state.done, record.step],
        inDoubt: state.inDoubt.filter((step) => step !== record.step),
      };
    case 'STEP_FAILED':
      return afterFailure(markDoubt(state, record.step, record.outcome), record);
    case 'TURNED': {
      const undoable = new Set(stepsOf(definition, 'compensatable'));
      return {
        ...state,
        phase: 'backward',
        direction: 'backward',
        failure: record.failure,
        toUndo: [...record.inDoubt, ...state.done.filter((step) => undoable.has(step)).reverse()],
        undoUntil: record.undoUntil,
        failedAttempts: {},
        retryAt: {},
      };
    }
    case 'UNDO_DONE':
      return { ...state, toUndo: state.toUndo.filter((step) => step !== record.step) };
    case 'UNDO_FAILED':
      return afterFailure(state, record);
    case 'STUCK':
      return { ...state, phase: 'stuck', failure: record.failure };
    case 'ENDED':
      return { ...state, phase: 'ended', end: record.status };
    default:
      return unreachable(record);
  }
}

/** What is to be done next. */
export type Next =
  | { readonly is: 'run'; readonly steps: readonly AnyStep[] }
  | { readonly is: 'undo'; readonly step: AnyStep }
  | { readonly is: 'close' }
  | { readonly is: 'end'; readonly status: 'COMPLETED' | 'COMPENSATED' }
  | { readonly is: 'rest' };

export function decide(definition: AnyDefinition, state: MachineState): Next {
  if (state.phase === 'stuck' || state.phase === 'ended') return { is: 'rest' };
  if (state.phase === 'forward') {
    const steps = openSteps(definition, state);
    return steps.length > 0 ? { is: 'run', steps } : { is: 'end', status: 'COMPLETED' };
  }
  const name = state.toUndo[0];
  const step = definition.groups.flat().find((candidate) => candidate.name === name);
  if (step !== undefined) return { is: 'undo', step };
  return definition.onCompensated === undefined ? { is: 'end', status: 'COMPENSATED' } : { is: 'close' };
}

/** The steps of the current group that are not done; empty when all groups are. */
export function openSteps(definition: AnyDefinition, state: MachineState): readonly AnyStep[] {
  for (const group of definition.groups) {
    const open = group.filter((step) => !state.done.includes(step.name));
    if (open.length > 0) return open;
  }
  return [];
}

/** True when there is only forward: the pivot is done or may be, or the saga has come to its retriable steps. */
export function isCommitted(definition: AnyDefinition, state: MachineState): boolean {
  const pivot = stepsOf(definition, 'pivot')[0];
  if (pivot !== undefined) return state.done.includes(pivot) || state.inDoubt.includes(pivot);
  const group = definition.groups.find((steps) => steps.some((step) => !state.done.includes(step.name)));
  const commits = definition.groups.findIndex((steps) => steps.some((step) => step.kind === 'retriable'));
  return commits >= 0 && (group === undefined || definition.groups.indexOf(group) >= commits);
}

/** What follows from a failed attempt. */
export type Verdict = 'repeat' | 'turn' | 'stuck';

/** @param state as it was after the attempt was recorded */
export function judgeStep(
  definition: AnyDefinition,
  state: MachineState,
  step: AnyStep,
  attempt: number,
  outcome: FailedOutcome,
): Verdict {
  const over = attempt >= step.retry.attempts;
  // A refusal by the pivot is an answer: it did not happen, whatever was in doubt before.
  if (outcome === 'refused') return step.kind === 'pivot' || !isCommitted(definition, state) ? 'turn' : 'stuck';
  if (outcome === 'defect') return over || attempt >= DEFECT_ATTEMPTS ? 'stuck' : 'repeat';
  if (!over) return 'repeat';
  return isCommitted(definition, state) ? 'stuck' : 'turn';
}

export function judgeUndo(state: MachineState, attempt: number, outcome: FailedOutcome, nowMs: number): Verdict {
  if (outcome === 'refused') return 'stuck';
  if (outcome === 'defect') return attempt >= DEFECT_ATTEMPTS ? 'stuck' : 'repeat';
  return nowMs >= state.undoUntil ? 'stuck' : 'repeat';
}

/** The saga turns back: compensatable steps of the open group that may have happened are undone too. */
export function turn(
  definition: AnyDefinition,
  state: MachineState,
  failure: SagaFailure,
  nowMs: number,
): Extract<JournalRecord, { kind: 'TURNED' }> {
  const inDoubt = openSteps(definition, state)
    .filter((step) => step.kind === 'compensatable' && state.inDoubt.includes(step.name))
    .map((step) => step.name);
  return { kind: 'TURNED', failure, inDoubt, undoUntil: nowMs + UNDO_FOR_MS };
}

/** A worker was lost with the open group under way: each of its steps may have happened, and that counts as an attempt. */
export function interrupted(
  definition: AnyDefinition,
  state: MachineState,
  nowMs: number,
): readonly Extract<JournalRecord, { kind: 'STEP_FAILED' }>[] {
  if (state.phase !== 'forward') return [];
  const { code, reason, message } = sagaErrors.WORKER_LOST();
  return openSteps(definition, state)
    .filter((step) => step.kind !== 'read')
    .map(({ name: step }) => {
      const attempt = (state.failedAttempts[step] ?? 0) + 1;
      const retryAt = Math.max(nowMs, state.retryAt[step] ?? 0);
      return { kind: 'STEP_FAILED', step, attempt, outcome: 'unknown', error: { code, reason, message }, retryAt };
    });
}

/** What must stay the same for a running saga: a change of it needs a new version. */
export const shapeOf = (definition: AnyDefinition): string =>
  definition.groups.map((group) => group.map((step) => `${step.name}:${step.kind}`).join('+')).join(' ');

const stepsOf = (definition: AnyDefinition, kind: AnyStep['kind']): readonly string[] =>
  definition.groups
    .flat()
    .filter((step) => step.kind === kind)
    .map((step) => step.name);

function markDoubt(state: MachineState, step: string, outcome: FailedOutcome): MachineState {
  const doubtful = outcome === 'unknown' || outcome === 'defect';
  return doubtful && !state.inDoubt.includes(step) ? { ...state, inDoubt: [...state.inDoubt, step] } : state;
}

const afterFailure = (
  state: MachineState,
  record: { readonly step: string; readonly attempt: number; readonly retryAt: number },
): MachineState => ({
  ...state,
  failedAttempts: { ...state.failedAttempts, [record.step]: record.attempt },
  retryAt: { ...state.retryAt, [record.step]: record.retryAt },
});
