import { type Code, fromUnknown, type SoukError } from '@souk/kernel';
import type { Json } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { FailedOutcome, RecordedError } from './journal.ts';

/** How one attempt ended. */
export type Outcome =
  | { readonly is: 'done'; readonly result: Json | undefined }
  | { readonly is: FailedOutcome; readonly error: SoukError; readonly afterMs: number };

const DEFECTS: ReadonlySet<Code> = new Set(['internal', 'unknown', 'data_loss', 'unimplemented']);
const UNKNOWN: ReadonlySet<Code> = new Set(['canceled', 'deadline_exceeded', 'unavailable']);

/** What was thrown, as one of the four ways to fail. Unknown is never treated as failed. */
export function classify(thrown: unknown): Extract<Outcome, { error: SoukError }> {
  const error = fromUnknown(thrown);
  const { retry, code } = error;
  if (retry.kind === 'later') return { is: 'failed', error, afterMs: retry.afterMs ?? 0 };
  if (retry.kind === 'unknownOutcome' || UNKNOWN.has(code)) return { is: 'unknown', error, afterMs: 0 };
  return { is: DEFECTS.has(code) ? 'defect' : 'refused', error, afterMs: 0 };
}

/** The result as the journal will give it back: a step after a restart sees the same as one before it. */
export function toJson(step: string, result: unknown): Json | undefined {
  if (result === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(result)) as Json;
  } catch (cause) {
    throw sagaErrors.RESULT_NOT_JSON({ step }, { cause });
  }
}

export const recordError = ({ code, reason, message }: SoukError): RecordedError => ({ code, reason, message });
