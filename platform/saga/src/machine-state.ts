import type { Json, SagaFailure } from './definition.ts';
import type { FinalStatus, JournalRecord, Parent, RecordedError } from './journal.ts';

/** Stands for `onCompensated` where a step is named. No step can be called so. */
export const ON_COMPENSATED = 'onCompensated';

/** A signal that was taken before a step waited for it. */
export interface Signal {
  readonly name: string;
  readonly signalId: string;
  readonly body: Json;
}

/** What a step waits for. */
export interface Wait {
  /** Milliseconds since 1970; null: no limit. */
  readonly until: number | null;
  /** Id of the child saga that runs. */
  readonly child: string | undefined;
  /** The child was asked to turn back. */
  readonly cancelled: boolean;
}

/** All that is known of a saga: a fold over its journal. */
export interface MachineState {
  readonly phase: 'forward' | 'backward' | 'stuck' | 'ended';
  /** Where it goes, or went before it was stuck. */
  readonly direction: 'forward' | 'backward';
  readonly paused: boolean;
  readonly input: Json;
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly parent: Parent | undefined;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  readonly results: Readonly<Record<string, Json | undefined>>;
  /** Steps that are done, in order of completion. */
  readonly done: readonly string[];
  /** Steps whose condition was false. */
  readonly skipped: readonly string[];
  /** Steps with an attempt that may have happened. */
  readonly inDoubt: readonly string[];
  /** Attempts that failed since the step was begun, by step; undos start again at 0. */
  readonly failedAttempts: Readonly<Record<string, number>>;
  readonly retryAt: Readonly<Record<string, number>>;
  /** When the first of these attempts failed. */
  readonly since: Readonly<Record<string, number>>;
  /** How the last attempt failed; undefined after one that did not. */
  readonly error: RecordedError | undefined;
  readonly waits: Readonly<Record<string, Wait>>;
  /** How child sagas ended that are not COMPLETED. */
  readonly childEnds: Readonly<Record<string, Extract<JournalRecord, { kind: 'CHILD' }>>>;
  /** Signals nobody has waited for yet, oldest first. */
  readonly signals: readonly Signal[];
  /** Signals that were taken, by name and id: what comes twice is taken once. */
  readonly seen: readonly string[];
  /** Somebody asked to cancel and was not answered yet. */
  readonly cancel: { readonly actionId: string; readonly actor: string; readonly reason: string } | undefined;
  /** Ids of the actions that were done or refused. */
  readonly actions: readonly string[];
  /** Inputs edited by operators, by step. */
  readonly inputs: Readonly<Record<string, Json>>;
  /** How often the work of a step became other work. */
  readonly revisions: Readonly<Record<string, number>>;
  /** What is still to be undone; the first is next. */
  readonly toUndo: readonly string[];
  /** Undos that failed while the others went on. */
  readonly givenUp: readonly SagaFailure[];
  /** Undos that a person declared needless. */
  readonly waived: readonly string[];
  /** Why it turned back. */
  readonly failure: SagaFailure | undefined;
  /** What it is stuck on. */
  readonly stuck: SagaFailure | undefined;
  readonly end: FinalStatus | undefined;
}

/** Before the first record. */
export const START: MachineState = {
  phase: 'forward',
  direction: 'forward',
  paused: false,
  input: null,
  startedAt: 0,
  deadlineAt: Number.POSITIVE_INFINITY,
  parent: undefined,
  key: undefined,
  tenant: undefined,
  results: {},
  done: [],
  skipped: [],
  inDoubt: [],
  failedAttempts: {},
  retryAt: {},
  since: {},
  error: undefined,
  waits: {},
  childEnds: {},
  signals: [],
  seen: [],
  cancel: undefined,
  actions: [],
  inputs: {},
  revisions: {},
  toUndo: [],
  givenUp: [],
  waived: [],
  failure: undefined,
  stuck: undefined,
  end: undefined,
};

/** Attempts begin to count anew. */
export const NO_ATTEMPTS = { failedAttempts: {}, retryAt: {}, since: {}, error: undefined } as const;

export const stepDone = (state: MachineState, step: string, result: Json | undefined): MachineState => ({
  ...withoutWait(withoutDoubt(state, step), step),
  results: { ...state.results, [step]: result },
  done: [...state.done, step],
  error: undefined,
});

export const withoutDoubt = (state: MachineState, step: string): MachineState =>
  state.inDoubt.includes(step) ? { ...state, inDoubt: state.inDoubt.filter((one) => one !== step) } : state;

export const withDoubt = (state: MachineState, step: string): MachineState =>
  state.inDoubt.includes(step) ? state : { ...state, inDoubt: [...state.inDoubt, step] };

export function withoutWait(state: MachineState, step: string): MachineState {
  if (!(step in state.waits)) return state;
  const { [step]: _over, ...waits } = state.waits;
  return { ...state, waits };
}
