import type { SoukError } from '@souk/kernel';
import type { AnyDefinition, AnyStep, Json } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { ActionName, ActionRecord, JournalRecord } from './journal.ts';
import { CHILD_ENDED, decide, evolve, interrupted, isCommitted, openSteps, turn } from './machine.ts';
import { type MachineState, ON_COMPENSATED } from './machine-state.ts';
import type { SagaStatus } from './sagas.ts';
import type { SignalRow } from './storage.ts';

/** What somebody wants done to a saga. */
export interface ActionRequest {
  readonly sagaId: string;
  readonly action: ActionName;
  /** The same id is done once. */
  readonly actionId: string;
  readonly actor: string;
  readonly reason: string;
  /** For `skip` and `edit`. @default the step that it is at, when there is one only */
  readonly step?: string;
  /** For `skip` of a step: what it counts as having returned. */
  readonly result?: Json | undefined;
  /** For `edit`: what the step sees as `call.input`. */
  readonly input?: Json;
  /** Overrides the guard of `edit` and `compensate`. */
  readonly force?: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface PlannedAction {
  /** To be appended; none when the action was done before. */
  readonly records: readonly JournalRecord[];
  /** To be sent in the same append. */
  readonly sends: readonly SignalRow[];
}

/**
 * The rules of what may be done by hand, and the records that do it. Pure: whoever appends them owns the saga, or holds its row's lock
 * while nobody does.
 *
 * | action | does | allowed |
 * |---|---|---|
 * | retry | attempts begin anew, in the direction it had; a child that failed is started anew | not ended |
 * | skip | a step counts as done with `result`; an undo, or `onCompensated`, is waived | the step is open, and runs no child |
 * | edit | the step sees another input, under a new key | it certainly did not happen, or `force` |
 * | compensate | turns back | not committed, or `force` |
 * | terminate | TERMINATED: given up as it is | not ended |
 * | cancel | turns back with SAGA_CANCELLED | not committed |
 * | pause, resume | lets it rest, lets it go on | not stuck; paused |
 */
export function planAction(
  definition: AnyDefinition,
  state: MachineState,
  request: ActionRequest,
): PlannedAction | { readonly refused: SoukError } {
  if (state.actions.includes(request.actionId)) return { records: [], sends: [] };
  const target = targetOf(definition, state, request);
  const why = refusalOf(definition, state, request, target);
  if (why !== undefined) return { refused: sagaErrors.ACTION_REFUSED({ action: request.action, why }) };

  const done = recordOf(request, target);
  const at = placeOf(definition, state).step ?? '';
  switch (request.action) {
    case 'compensate': {
      const { code, reason, message } = sagaErrors.COMPENSATED_BY_HAND();
      return { records: [done, turn(definition, state, { step: at, code, reason, message })], sends: [] };
    }
    case 'cancel': {
      const { code, reason, message } = sagaErrors.CANCELLED();
      return { records: [done, turn(definition, state, { step: at, code, reason, message })], sends: [] };
    }
    case 'terminate':
      return {
        records: [done, { kind: 'ENDED', status: 'TERMINATED' }],
        sends: endSignal(state, request.sagaId, 'TERMINATED'),
      };
    default:
      return { records: [done], sends: [] };
  }
}

/**
 * The same for a saga that nobody owns, with how it stands afterwards.
 *
 * @param lost Its last worker was lost: what was under way may have happened, which is noted before anything is decided.
 * @param wanted Whether a step's condition holds.
 */
export function planUnowned(
  definition: AnyDefinition,
  state: MachineState,
  lost: boolean,
  wanted: (state: MachineState, step: AnyStep) => boolean,
  request: ActionRequest,
): (PlannedAction & { readonly place: SagaPlace }) | { readonly refused: SoukError } {
  const noted = lost ? interrupted(definition, state, request.at, (step) => wanted(state, step)) : [];
  const evolved = (from: MachineState, records: readonly JournalRecord[]): MachineState =>
    records.reduce((now, record) => evolve(definition, now, record), from);
  const known = evolved(state, noted);
  const plan = planAction(definition, known, request);
  if ('refused' in plan) return plan;
  const place = placeOf(definition, evolved(known, plan.records));
  return { records: [...noted, ...plan.records], sends: plan.sends, place };
}

/** A refusal that is to be remembered in the journal. */
export const refusedAction = (request: ActionRequest): ActionRecord => ({
  ...recordOf(request, request.step),
  outcome: 'refused',
});

function recordOf(request: ActionRequest, target: string | undefined): ActionRecord {
  const { action, actionId, actor, reason, at, result, input, force } = request;
  return {
    kind: 'ACTION',
    action,
    actionId,
    actor,
    reason,
    ...(target !== undefined && (action === 'skip' || action === 'edit') && { step: target }),
    ...(action === 'skip' && result !== undefined && { result }),
    ...(action === 'edit' && { input: input ?? null }),
    ...(force && { force }),
    at,
  };
}

function targetOf(definition: AnyDefinition, state: MachineState, request: ActionRequest): string | undefined {
  if (request.step !== undefined) return request.step;
  if (state.stuck !== undefined && state.stuck.step !== '') return state.stuck.step;
  const open = candidates(definition, state);
  return open.length === 1 ? open[0] : undefined;
}

/** What can be skipped. */
function candidates(definition: AnyDefinition, state: MachineState): readonly string[] {
  if (state.direction === 'forward') return openSteps(definition, state).map((step) => step.name);
  const undos = [...state.givenUp.map((failure) => failure.step), ...state.toUndo];
  return undos.length === 0 && definition.onCompensated !== undefined ? [ON_COMPENSATED] : undos;
}

function refusalOf(
  definition: AnyDefinition,
  state: MachineState,
  { action, force = false, reason }: ActionRequest,
  target: string | undefined,
): string | undefined {
  if (state.phase === 'ended') return `the saga has ended ${state.end}`;
  if (reason.trim() === '') return 'a reason must be given';
  const committed = isCommitted(definition, state);
  switch (action) {
    case 'retry':
    case 'terminate':
      return undefined;
    case 'pause':
      if (state.phase === 'stuck') return 'the saga is STUCK, so it rests already';
      return state.paused ? 'the saga is paused already' : undefined;
    case 'resume':
      return state.paused ? undefined : 'the saga is not paused';
    case 'cancel':
      if (state.direction === 'backward') return 'the saga turns back already';
      return committed ? 'the saga has passed its point of no return, or may have' : undefined;
    case 'compensate':
      if (state.direction === 'backward') return 'the saga turns back already';
      return committed && !force
        ? 'the saga has passed its point of no return, or may have: it takes force'
        : undefined;
    case 'skip':
      return openRefusal(definition, state, target);
    case 'edit': {
      if (state.direction === 'backward') return 'the saga turns back: there is no input to edit';
      const refusal = openRefusal(definition, state, target);
      if (refusal !== undefined || force) return refusal;
      if (!state.inDoubt.includes(target ?? '')) return undefined;
      return 'the step may have happened with its old input: it takes force';
    }
    default:
      return `there is no action ${action}`;
  }
}

function openRefusal(definition: AnyDefinition, state: MachineState, target: string | undefined): string | undefined {
  const open = candidates(definition, state);
  if (target === undefined) return `several steps are open, name one of ${open.join(', ')}`;
  if (!open.includes(target)) return `${target} is not among what is open: ${open.join(', ') || 'nothing'}`;
  const child = state.waits[target]?.child;
  return child === undefined ? undefined : `the child saga ${child} runs: act on that one`;
}

/** Tells the parent saga that its child has ended; none when it has no parent. */
export function endSignal(
  state: MachineState,
  sagaId: string,
  status: 'COMPLETED' | 'COMPENSATED' | 'TERMINATED',
): readonly SignalRow[] {
  const { parent, results, failure } = state;
  if (parent === undefined) return [];
  const body: Json = {
    step: parent.step,
    status,
    ...(status === 'COMPLETED' && { result: results }),
    ...(status === 'COMPENSATED' && failure !== undefined && { failure: { ...failure } }),
  };
  return [{ sagaId: parent.sagaId, name: CHILD_ENDED, signalId: sagaId, body }];
}

/** How a saga is shown, and found. */
export interface SagaPlace {
  /** WAITING where there is something to do: a worker claims it as soon as its `wake_at` has come. */
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  /** The step it is at or stuck on; null when it has ended. */
  readonly step: string | null;
  readonly errorCode: string | null;
  readonly errorReason: string | null;
}

/** The columns of a saga's row that nobody's ownership decides, as its state wants them. */
export function placeOf(definition: AnyDefinition, state: MachineState): SagaPlace {
  const error = state.stuck ?? state.failure ?? state.error;
  return {
    status: statusOf(state),
    direction: state.direction,
    step: stepOf(definition, state),
    errorCode: error?.code ?? null,
    errorReason: error?.reason ?? null,
  };
}

function statusOf(state: MachineState): SagaStatus {
  if (state.end !== undefined) return state.end;
  if (state.phase === 'stuck') return 'STUCK';
  return state.paused ? 'PAUSED' : 'WAITING';
}

function stepOf(definition: AnyDefinition, state: MachineState): string | null {
  if (state.phase === 'ended') return null;
  if (state.stuck !== undefined && state.stuck.step !== '') return state.stuck.step;
  const rests = state.phase === 'stuck' || state.paused || state.cancel !== undefined;
  const awake = rests ? { ...state, phase: state.direction, paused: false, cancel: undefined } : state;
  const next = decide(definition, awake);
  if (next.is === 'run') return next.steps[0]?.name ?? null;
  if (next.is === 'undo') return next.step.name;
  if (next.is === 'children') return next.steps[0] ?? null;
  return next.is === 'close' ? ON_COMPENSATED : null;
}
