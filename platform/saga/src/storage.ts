import type { Sql, Transaction } from '@souk/store';
import type { Json } from './definition.ts';
import type { JournalRow } from './journal.ts';
import type { SagaStatus } from './sagas.ts';

/** A worker's right to own sagas. Every write carries it. */
export interface Lease {
  readonly workerId: string;
  readonly epoch: number;
}

/** Where a worker runs, exact enough to know later that it is gone. */
export interface Place {
  /** Names the machine since its boot and the pid namespace; undefined where it cannot be told. */
  readonly host: string | undefined;
  readonly pid: number;
  /** When the process started, in a unit of the host: tells a reused pid apart. */
  readonly startedAt: string;
}

/** A signal to a saga; unique by saga, name and id. */
export interface SignalRow {
  readonly sagaId: string;
  readonly name: string;
  readonly signalId: string;
  readonly body: Json;
}

export interface SagaStart {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly shape: string;
  /** Set when the starting worker owns the saga at once. */
  readonly owner: string | undefined;
  readonly wakeAt: number;
  readonly record: JournalRow;
  /** What it is about, to be found by. */
  readonly key: string | null;
  readonly tenant: string | null;
  /** Id of the saga that it is a child of. */
  readonly parent: string | null;
  /** Milliseconds since 1970. */
  readonly deadlineAt: number;
}

/** A change of one saga, refused unless the lease is live, owns the saga at `epoch`, and its journal ends at `base`. */
export interface SagaWrite {
  readonly id: string;
  readonly epoch: number;
  readonly base: number;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  /** Milliseconds since 1970; null while it is not waiting. */
  readonly wake: number | null;
  /** The step it is at or stuck on. */
  readonly step: string | null;
  readonly errorCode: string | null;
  readonly errorReason: string | null;
  readonly records: readonly JournalRow[];
  /** False when all it says is that the last worker was lost: claims go on being counted. */
  readonly progress: boolean;
  /** Signals that this change takes. */
  readonly consumed: readonly { readonly name: string; readonly signalId: string }[];
  /** Sagas that begin with it, owned by nobody. */
  readonly starts: readonly SagaStart[];
  /** Signals to other sagas. */
  readonly sends: readonly SignalRow[];
}

/** A saga that begins with nothing else. */
export interface LoneStart {
  readonly id: string;
  readonly start: SagaStart;
}

/** A change or a start as it travels, made once however often it is sent. */
export interface EncodedWrite {
  readonly source: SagaWrite | LoneStart;
  /** What is known of its size. */
  readonly chars: number;
  /** JSON, each without the brackets of the list that it goes into; empty where there is nothing. */
  readonly start: string;
  readonly head: string;
  readonly records: string;
  readonly extra: string;
}

export interface WriteResult {
  /** False: the lease is over and nothing was written. */
  readonly live: boolean;
  /** Ids of the sagas whose change is in the database; also when an earlier try of the same write put it there. */
  readonly accepted: readonly string[];
}

export interface ClaimedSaga {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly shape: string;
  readonly epoch: number;
  readonly claims: number;
  /** False: its last owner let go of it in good order, so each attempt is in the journal. */
  readonly interrupted: boolean;
  readonly records: readonly JournalRow[];
  /** Those not taken yet. */
  readonly signals: readonly SignalRow[];
}

export interface OwnedSaga {
  readonly id: string;
  readonly epoch: number;
}

/** What the engine needs of a store. Leases follow the store's clock, `nowMs` is the caller's. */
export interface SagaStorage {
  /** @param kinds The `name@version` of the sagas it can run. */
  register(lease: Lease, place: Place, leaseMs: number, kinds: readonly string[]): Promise<void>;
  /** Workers with a live lease that were started on this host. */
  neighbours(host: string): Promise<readonly (Place & { readonly workerId: string })[]>;
  /**
   * Ends the leases that are expired or named in `workerIds`, and makes every RUNNING saga without a live owner READY.
   * @returns how many sagas were made READY
   */
  takeOver(workerIds: readonly string[], nowMs: number): Promise<number>;
  /**
   * One transaction for all of them.
   * @param writes No saga twice.
   * @param options.extendMs Extends the lease too; undefined leaves it as it is.
   * @param options.again The same was sent before, and it is not known what came of it.
   * @throws when one row is refused; then nothing is written
   */
  write(
    lease: Lease,
    writes: readonly EncodedWrite[],
    options: { readonly extendMs: number | undefined; readonly again: boolean; readonly nowMs: number },
  ): Promise<WriteResult>;
  /** Takes due sagas of these `name@version` that nobody owns, and counts the claim. Empty when the lease is over. */
  claim(lease: Lease, kinds: readonly string[], nowMs: number, limit: number): Promise<readonly ClaimedSaga[]>;
  owned(lease: Lease): Promise<readonly OwnedSaga[]>;
  /**
   * Makes sagas STUCK that are due for `afterMs` and that no live worker can run.
   * @returns how many
   */
  parkOrphans(nowMs: number, afterMs: number): Promise<number>;
  /** Makes sagas READY that this lease owns and its worker does not run. */
  release(lease: Lease, sagas: readonly OwnedSaga[], nowMs: number): Promise<void>;
  /** @returns STUCK sagas by name */
  stuck(): Promise<ReadonlyMap<string, number>>;
  /** Runs in the caller's transaction. @returns false when there is such a saga already */
  start(tx: Transaction, start: SagaStart): Promise<boolean>;
  /** Runs in the caller's transaction. What is there already stays as it is; a WAITING saga is woken, one that ended ignores it. */
  signal(sql: Sql, rows: readonly SignalRow[], nowMs: number): Promise<void>;
  /** @returns signals not taken yet of sagas that this lease owns */
  pendingSignals(lease: Lease): Promise<readonly SignalRow[]>;
}
