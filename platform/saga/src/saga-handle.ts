import { hasReason } from '@souk/kernel';
import type { AnyDefinition, SagaFailure } from './definition.ts';
import { type JournalRecord, toRow } from './journal.ts';
import { decide, evolve, type MachineState } from './machine.ts';
import type { SagaStatus } from './sagas.ts';
import type { Writer } from './writer.ts';

/** One saga in the hands of this worker: its state, and the way of new records into the journal. */
export interface SagaHandle {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly epoch: number;
  readonly state: MachineState;
  /** Changes the state at once; the record is written with the next flush. */
  note(record: JournalRecord): void;
  /**
   * Resolves when everything noted is committed. A saga with nothing left to do ends in the same append.
   * @param wakeAt Lets go of the saga until then, in milliseconds since 1970.
   * @throws SAGA_OWNERSHIP_LOST, SAGA_STOPPED: the saga is no longer ours and its state here is worth nothing
   */
  flush(wakeAt?: number): Promise<void>;
}

export function createSagaHandle(init: {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly epoch: number;
  /** Records in the journal. */
  readonly seq: number;
  readonly state: MachineState;
  readonly writer: Writer;
}): SagaHandle {
  const { id, definition, epoch, writer } = init;
  let state = init.state;
  let seq = init.seq;
  let noted: JournalRecord[] = [];
  let tail: Promise<void> = Promise.resolve();
  let owned = true;

  const note = (record: JournalRecord): void => {
    state = evolve(definition, state, record);
    noted.push(record);
  };

  const append = async (records: readonly JournalRecord[], wakeAt: number | undefined): Promise<void> => {
    const status = statusOf(state, wakeAt);
    const rows = records.map((record, index) => toRow(record, seq + 1 + index));
    const wake = status === 'WAITING' ? (wakeAt ?? null) : null;
    await writer.append({ id, epoch, base: seq, status, direction: state.direction, wake, records: rows });
    seq += rows.length;
    owned = status === 'RUNNING';
  };

  const write = async (wakeAt: number | undefined): Promise<void> => {
    if (!owned) return;
    const next = decide(definition, state);
    if (next.is === 'end') note({ kind: 'ENDED', status: next.status });
    const records = noted;
    noted = [];
    if (records.length === 0 && wakeAt === undefined) return;
    try {
      await append(records, wakeAt);
    } catch (error) {
      if (!hasReason(error, 'SAGA_RECORD_REFUSED')) throw error;
      // What happened cannot be said: the saga must not go on as if it had not.
      noted = [];
      note({ kind: 'STUCK', failure: refusedRecord(records) });
      await append(noted.splice(0), undefined);
    }
  };

  return {
    id,
    definition,
    epoch,
    get state() {
      return state;
    },
    note,
    flush: (wakeAt) => {
      // One change per saga at a time: its records are numbered in order.
      tail = tail.then(() => write(wakeAt));
      return tail;
    },
  };
}

function statusOf(state: MachineState, wakeAt: number | undefined): SagaStatus {
  if (state.phase === 'stuck') return 'STUCK';
  if (state.end !== undefined) return state.end;
  return wakeAt === undefined ? 'RUNNING' : 'WAITING';
}

function refusedRecord(records: readonly JournalRecord[]): SagaFailure {
  const named = records.find((record) => 'step' in record);
  return {
    step: named !== undefined && 'step' in named ? named.step : '',
    code: 'internal',
    reason: 'SAGA_RECORD_REFUSED',
    message: 'the database refused what was to be journaled',
  };
}
