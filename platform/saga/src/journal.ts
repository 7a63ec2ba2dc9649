import type { TraceContext } from '@souk/kernel';
import type { Json, SagaFailure } from './definition.ts';

/**
 * How an attempt failed.
 * - `refused`: a business refusal; the same call fails again.
 * - `failed`: nothing happened; worth repeating.
 * - `unknown`: it may have happened; repeated under the same key.
 * - `defect`: a programming error on some side; it may have happened.
 * - `review`: the step asks for a person; it may have happened.
 */
export type FailedOutcome = 'refused' | 'failed' | 'unknown' | 'defect' | 'review';

/** Never holds personal data: the text of a SoukError. */
export interface RecordedError {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
}

interface Failed {
  readonly step: string;
  readonly attempt: number;
  readonly outcome: FailedOutcome;
  readonly error: RecordedError;
  /** Milliseconds since 1970 before which it is not repeated. */
  readonly retryAt: number;
  /** When it failed; records of older releases have none. */
  readonly at?: number;
}

/** Which step of which saga a child belongs to. */
export interface Parent {
  readonly sagaId: string;
  readonly step: string;
}

export type FinalStatus = 'COMPLETED' | 'COMPENSATED' | 'TERMINATED';

/** What operators can do. */
export type ActionName = 'retry' | 'skip' | 'edit' | 'compensate' | 'terminate' | 'cancel' | 'pause' | 'resume';

/** What somebody did to the saga. Shown for ever. */
export interface ActionRecord {
  readonly kind: 'ACTION';
  readonly action: ActionName;
  /** The same id is done once. */
  readonly actionId: string;
  /** Who: the id of a user, or a service. */
  readonly actor: string;
  readonly reason: string;
  readonly step?: string;
  /** For `skip`: what the step counts as having returned. */
  readonly result?: Json | undefined;
  /** For `edit`: what the step sees as `call.input` from now on. */
  readonly input?: Json;
  /** The guard was overridden. */
  readonly force?: boolean;
  /** @default 'done' */
  readonly outcome?: 'done' | 'refused';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a saga's journal is made of. The state of a saga is a fold over its records, and nothing else. */
export type JournalRecord =
  | {
      readonly kind: 'STARTED';
      readonly input: Json;
      /** Milliseconds since 1970. */
      readonly at: number;
      /** Fixed here once: a restart does not extend it. */
      readonly deadlineAt: number;
      readonly trace: TraceContext;
      readonly parent?: Parent;
      readonly key?: string;
      readonly tenant?: string;
    }
  | { readonly kind: 'STEP_DONE'; readonly step: string; readonly attempt: number; readonly result?: Json | undefined }
  | ({ readonly kind: 'STEP_FAILED' } & Failed)
  | {
      readonly kind: 'TURNED';
      readonly failure: SagaFailure;
      /** Compensatable steps that are not done but may have happened: undone first. */
      readonly inDoubt: readonly string[];
    }
  | { readonly kind: 'UNDO_DONE'; readonly step: string; readonly attempt: number }
  | ({ readonly kind: 'UNDO_FAILED' } & Failed)
  /** The step has begun to wait; what it waits for is fixed here once. */
  | {
      readonly kind: 'WAITING';
      readonly step: string;
      /** Milliseconds since 1970; null: there is no limit. */
      readonly until: number | null;
      /** Id of the child saga that was started with this record. */
      readonly child?: string;
      /** The child was asked to turn back, because its parent did. */
      readonly cancelled?: boolean;
    }
  /** A signal was taken; with `step` that step has waited for it and is done. */
  | {
      readonly kind: 'SIGNALLED';
      readonly name: string;
      readonly signalId: string;
      readonly body: Json;
      readonly step?: string;
    }
  /** The time of the step has come, and the step is done. */
  | { readonly kind: 'TIMER'; readonly step: string }
  | ActionRecord
  /** A child saga has ended. COMPLETED: the step is done. */
  | {
      readonly kind: 'CHILD';
      readonly step: string;
      readonly child: string;
      readonly status: FinalStatus;
      readonly result?: Json;
      readonly failure?: SagaFailure;
    }
  | { readonly kind: 'ENDED'; readonly status: FinalStatus }
  | { readonly kind: 'STUCK'; readonly failure: SagaFailure }
  /** Its condition was false. */
  | { readonly kind: 'SKIPPED'; readonly step: string }
  /** The undo is left for a person, and the others go on. */
  | { readonly kind: 'UNDO_GIVEN_UP'; readonly step: string; readonly failure: SagaFailure }
  /** The pivot that was in doubt has not happened, and will not by any attempt before this record. */
  | { readonly kind: 'NOT_DONE'; readonly step: string; readonly attempt: number };

export type RecordKind = JournalRecord['kind'];

/** Numbers in the database; never reused. 4 and 12 are kept for kinds to come. */
const KIND_CODES: Readonly<Record<RecordKind, number>> = {
  STARTED: 1,
  STEP_DONE: 2,
  STEP_FAILED: 3,
  TURNED: 5,
  UNDO_DONE: 6,
  UNDO_FAILED: 7,
  WAITING: 8,
  SIGNALLED: 9,
  TIMER: 10,
  ACTION: 11,
  CHILD: 13,
  ENDED: 14,
  STUCK: 15,
  SKIPPED: 16,
  UNDO_GIVEN_UP: 17,
  NOT_DONE: 18,
};

const KINDS = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code, kind as RecordKind]));

/** A record as the database holds it. */
export interface JournalRow {
  readonly seq: number;
  readonly kind: number;
  readonly step: string | null;
  readonly attempt: number | null;
  readonly body: Json;
}

export function toRow(record: JournalRecord, seq: number): JournalRow {
  const { kind, ...rest } = record;
  const { step = null, attempt = null, ...body } = rest as { step?: string; attempt?: number };
  return { seq, kind: KIND_CODES[kind], step, attempt, body: body as Json };
}

export function fromRow(row: JournalRow): JournalRecord {
  const { step, attempt } = row;
  const named = step === null ? {} : attempt === null ? { step } : { step, attempt };
  return { kind: kindOf(row.kind), ...named, ...(row.body as object) } as JournalRecord;
}

/** A kind that a newer release wrote has no name here; no definition of this release ever meets one. */
export const kindOf = (code: number): RecordKind => KINDS.get(code) ?? (`KIND_${code}` as RecordKind);
