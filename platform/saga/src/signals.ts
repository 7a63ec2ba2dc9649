import type { AnyDefinition, Json, SagaFailure } from './definition.ts';
import type { FinalStatus, JournalRecord } from './journal.ts';
import { CHILD_ENDED, isSettled, signalKey } from './machine.ts';
import type { MachineState } from './machine-state.ts';
import type { SignalRow } from './storage.ts';

/** The record that takes a signal; undefined when it was taken before. */
export function takeSignal(
  definition: AnyDefinition,
  state: MachineState,
  { name, signalId, body }: SignalRow,
): JournalRecord | undefined {
  if (state.seen.includes(signalKey({ name, signalId }))) return undefined;
  if (name === CHILD_ENDED) {
    const end = body as unknown as { step: string; status: FinalStatus; result?: Json; failure?: SagaFailure };
    if (state.waits[end.step]?.child === signalId) return { kind: 'CHILD', child: signalId, ...end };
  }
  const step = waiting(definition, state, name);
  return { kind: 'SIGNALLED', name, signalId, body, ...(step !== undefined && { step }) };
}

/** The step that waits for a signal of this name now. */
function waiting(definition: AnyDefinition, state: MachineState, signal: string): string | undefined {
  if (state.direction === 'backward') return undefined;
  return Object.keys(state.waits).find((step) => {
    const work = definition.steps.get(step)?.work;
    return work?.is === 'wait' && work.signal === signal && !isSettled(state, step);
  });
}
