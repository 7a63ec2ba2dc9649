import { hasReason, type TraceContext } from '@souk/kernel';
import type { AnyDefinition, SagaFailure } from './definition.ts';
import { type JournalRecord, toRow } from './journal.ts';
import { decide, evolve, type MachineState, type Owed } from './machine.ts';
import { endSignal, placeOf } from './plan-action.ts';
import { takeSignal } from './signals.ts';
import type { SagaStart, SignalRow } from './storage.ts';
import type { Writer } from './writer.ts';

/** One saga in the hands of this worker: its state, and the way of new records into the journal. */
export interface SagaHandle {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly epoch: number;
  readonly state: MachineState;
  /** False once it was let go of: what it says here is not its state any more. */
  readonly owned: boolean;
  /** What is noted and not on its way to the journal. */
  readonly owed: Owed;
  /** Changes the state at once; the record is written with the next flush. */
  note(record: JournalRecord): void;
  /** Starts a child in the append of `record`. */
  begin(record: JournalRecord, child: SagaStart): void;
  /** Sends a signal in the append of `record`. */
  send(record: JournalRecord, signal: SignalRow): void;
  /**
   * Takes a signal: notes what it means, and removes it in the same append. What was taken before is not taken again.
   * @returns true when it was new
   */
  take(signal: SignalRow): boolean;
  /** Removes a signal, in the append of `records`, that is none of the state's business. */
  consume(signal: SignalRow, records: readonly JournalRecord[]): void;
  /**
   * Resolves when everything noted is committed. A saga with nothing left to do ends in the same append.
   * @param wakeAt Lets go of the saga until then, in milliseconds since 1970.
   * @throws SAGA_OWNERSHIP_LOST, SAGA_STOPPED: the saga is no longer ours and its state here is worth nothing
   */
  flush(wakeAt?: number): Promise<void>;
}

export interface SagaHandleInit {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly epoch: number;
  /** Records in the journal. */
  readonly seq: number;
  readonly state: MachineState;
  readonly writer: Writer;
  /** Of this run: left in the journal when the saga is let go of, so that the next run can name it. */
  readonly trace: TraceContext;
  /** Hears what has been committed for other sagas. */
  readonly onSent: (signals: readonly SignalRow[], started: boolean) => void;
}

/** What one append takes along. */
interface Parcel {
  records: JournalRecord[];
  consumed: { name: string; signalId: string }[];
  starts: SagaStart[];
  sends: SignalRow[];
}

const NOTHING: readonly never[] = Object.freeze([]);

export function createSagaHandle(init: SagaHandleInit): SagaHandle {
  const { id, definition, epoch, writer } = init;
  let state = init.state;
  /** As the journal has it. */
  let committed = state;
  let seq = init.seq;
  let parcel: Parcel | undefined;
  let tail: Promise<void> = Promise.resolve();
  let owned = true;

  const open = (): Parcel => {
    parcel ??= { records: [], consumed: [], starts: [], sends: [] };
    return parcel;
  };

  const note = (record: JournalRecord): void => {
    state = evolve(definition, state, record);
    open().records.push(record);
    if (record.kind === 'ENDED') open().sends.push(...endSignal(state, id, record.status));
  };

  const append = async ({ records, consumed, starts, sends }: Parcel, wakeAt: number | undefined): Promise<void> => {
    const after = state;
    const place = placeOf(definition, after);
    const status = place.status === 'WAITING' && wakeAt === undefined ? 'RUNNING' : place.status;
    const rows = records.map((record, index) => toRow(record, seq + 1 + index));
    const last = rows.at(-1);
    // Whoever goes on with it can name the run that let go of it.
    if (last !== undefined && status !== 'RUNNING' && after.end === undefined)
      rows[rows.length - 1] = { ...last, body: { ...(last.body as object), trace: { ...init.trace } } };
    const wake = status === 'WAITING' ? (wakeAt ?? null) : null;
    const { direction, step, errorCode, errorReason } = place;
    await writer.append({
      id,
      epoch,
      base: seq,
      status,
      direction,
      wake,
      step,
      errorCode,
      errorReason,
      records: rows,
      progress: records.some(
        (record) => !(record.kind === 'STEP_FAILED' && record.error.reason === 'SAGA_WORKER_LOST'),
      ),
      consumed: consumed.length === 0 ? NOTHING : consumed,
      starts: starts.length === 0 ? NOTHING : starts,
      sends: sends.length === 0 ? NOTHING : sends,
    });
    seq += rows.length;
    committed = after;
    owned = status === 'RUNNING';
    if (starts.length > 0 || sends.length > 0) init.onSent(sends, starts.length > 0);
  };

  const write = async (wakeAt: number | undefined): Promise<void> => {
    if (!owned) return;
    const next = decide(definition, state);
    if (next.is === 'end') note({ kind: 'ENDED', status: next.status });
    const taken = parcel;
    if (taken === undefined && wakeAt === undefined) return;
    parcel = undefined;
    try {
      await append(taken ?? { records: [], consumed: [], starts: [], sends: [] }, wakeAt);
    } catch (error) {
      if (!hasReason(error, 'SAGA_RECORD_REFUSED') || taken === undefined) throw error;
      // What happened cannot be said: the saga must not go on as if it had not, nor as if it had been written.
      parcel = undefined;
      state = committed;
      note({ kind: 'STUCK', failure: refusedRecord(taken.records) });
      const instead = open();
      parcel = undefined;
      await append(instead, undefined);
    }
  };

  return {
    id,
    definition,
    epoch,
    get state() {
      return state;
    },
    get owned() {
      return owned;
    },
    get owed() {
      return owedBy(parcel?.records ?? NOTHING);
    },
    note,
    begin: (record, child) => {
      note(record);
      open().starts.push(child);
    },
    send: (record, signal) => {
      note(record);
      open().sends.push(signal);
    },
    take: (signal) => {
      const record = takeSignal(definition, state, signal);
      if (record === undefined) return false;
      note(record);
      open().consumed.push({ name: signal.name, signalId: signal.signalId });
      return true;
    },
    consume: (signal, records) => {
      for (const record of records) note(record);
      open().consumed.push({ name: signal.name, signalId: signal.signalId });
    },
    flush: (wakeAt) => {
      // One change per saga at a time: its records are numbered in order.
      tail = tail.then(() => write(wakeAt));
      return tail;
    },
  };
}

function owedBy(records: readonly JournalRecord[]): Owed {
  let owed: Owed = 'nothing';
  for (const { kind } of records) {
    if (kind === 'SIGNALLED' || kind === 'TIMER' || kind === 'CHILD') return 'waits';
    if (kind === 'STEP_DONE') owed = 'reads';
  }
  return owed;
}

function refusedRecord(records: readonly JournalRecord[]): SagaFailure {
  const named = records.find((record) => 'step' in record);
  return {
    step: named !== undefined && 'step' in named ? (named.step ?? '') : '',
    code: 'internal',
    reason: 'SAGA_RECORD_REFUSED',
    message: 'the database refused what was to be journaled',
  };
}
