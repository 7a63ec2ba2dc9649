import type { ActionRecord } from './journal.ts';
import { type MachineState, NO_ATTEMPTS, stepDone } from './machine-state.ts';

/** What an action changes. Whether it was allowed was decided before it was recorded. */
export function evolveByAction(before: MachineState, record: ActionRecord): MachineState {
  const state = { ...before, actions: [...before.actions, record.actionId] };
  const { action, step } = record;
  if (action === 'cancel') return { ...state, cancel: undefined };
  if (record.outcome === 'refused') return state;
  switch (action) {
    case 'retry':
      return goOn(anew(state, Object.keys(state.childEnds)));
    case 'edit':
      if (step === undefined) return state;
      return goOn(anew({ ...state, inputs: { ...state.inputs, [step]: record.input ?? null } }, [step]));
    case 'skip':
      if (step === undefined) return state;
      return goOn(state.direction === 'forward' ? skipped(state, record, step) : waived(state, step));
    case 'pause':
      return { ...state, paused: true };
    case 'resume':
      return { ...state, paused: false };
    case 'compensate':
    case 'terminate':
      // What follows from them is a record of its own.
      return { ...state, paused: false };
    default:
      return state;
  }
}

/** Back to the direction it had, with all its attempts before it. */
const goOn = (state: MachineState): MachineState => ({
  ...state,
  ...NO_ATTEMPTS,
  phase: state.direction,
  stuck: undefined,
  toUndo: [...state.givenUp.map((failure) => failure.step), ...state.toUndo],
  givenUp: [],
});

/** The steps' next attempts are other work than those before: a child that has ended cannot run again. */
function anew(state: MachineState, steps: readonly string[]): MachineState {
  const revisions = { ...state.revisions };
  for (const step of steps) revisions[step] = (revisions[step] ?? 0) + 1;
  const ends = Object.entries(state.childEnds).filter(([step]) => !steps.includes(step));
  return { ...state, revisions, childEnds: Object.fromEntries(ends) };
}

function skipped(state: MachineState, record: ActionRecord, step: string): MachineState {
  const { [step]: _end, ...childEnds } = state.childEnds;
  return stepDone({ ...state, childEnds }, step, record.result);
}

const waived = (state: MachineState, step: string): MachineState => ({
  ...state,
  waived: [...state.waived, step],
  toUndo: state.toUndo.filter((one) => one !== step),
  givenUp: state.givenUp.filter((failure) => failure.step !== step),
});
