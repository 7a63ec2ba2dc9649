import type { TraceContext } from '@souk/kernel';
import type { Json, SagaFailure } from './definition.ts';

/**
 * How an attempt failed.
 * - `refused`: a business refusal; the same call fails again.
 * - `failed`: nothing happened; worth repeating.
 * - `unknown`: it may have happened; repeated under the same key.
 * - `defect`: a programming error on some side; it may have happened.
 */
export type FailedOutcome = 'refused' | 'failed' | 'unknown' | 'defect';

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
    }
  | { readonly kind: 'STEP_DONE'; readonly step: string; readonly attempt: number; readonly result?: Json | undefined }
  | ({ readonly kind: 'STEP_FAILED' } & Failed)
  | {
      readonly kind: 'TURNED';
      readonly failure: SagaFailure;
      /** Compensatable steps that are not done but may have happened: undone first. */
      readonly inDoubt: readonly string[];
      /** When undos stop being repeated and the saga is STUCK. */
      readonly undoUntil: number;
    }
  | { readonly kind: 'UNDO_DONE'; readonly step: string; readonly attempt: number }
  | ({ readonly kind: 'UNDO_FAILED' } & Failed)
  | { readonly kind: 'STUCK'; readonly failure: SagaFailure }
  | { readonly kind: 'ENDED'; readonly status: 'COMPLETED' | 'COMPENSATED' };

export type RecordKind = JournalRecord['kind'];

/** Numbers in the database; never reused. The gaps are kinds to come. */
const KIND_CODES: Readonly<Record<RecordKind, number>> = {
  STARTED: 1,
  STEP_DONE: 2,
  STEP_FAILED: 3,
  TURNED: 5,
  UNDO_DONE: 6,
  UNDO_FAILED: 7,
  ENDED: 14,
  STUCK: 15,
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
  const named = row.step === null ? {} : { step: row.step, attempt: row.attempt };
  return { kind: kindOf(row.kind), ...named, ...(row.body as object) } as JournalRecord;
}

/** A kind that a newer release wrote has no name here; no definition of this release ever meets one. */
export const kindOf = (code: number): RecordKind => KINDS.get(code) ?? (`KIND_${code}` as RecordKind);
