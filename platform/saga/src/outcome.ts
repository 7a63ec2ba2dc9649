import { type Code, fromUnknown, hasReason, type SoukError } from '@souk/kernel';
import type { Json } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { FailedOutcome, RecordedError } from './journal.ts';

/** How one attempt ended. */
export type Outcome =
  | { readonly is: 'done'; readonly result: Json | undefined }
  /** `afterMs`: whole milliseconds that the other side asked us to stay away. */
  | { readonly is: FailedOutcome; readonly error: SoukError; readonly afterMs: number };

/** Whoever asks for more is asked again all the same: it may be well long before. */
const LONGEST_AFTER_MS = 300_000;

const DEFECTS: ReadonlySet<Code> = new Set(['internal', 'unknown', 'data_loss', 'unimplemented']);
const UNKNOWN: ReadonlySet<Code> = new Set(['canceled', 'deadline_exceeded', 'unavailable']);

/**
 * What a step throws to ask for a person: the saga is STUCK at once, and the step counts as one that may have happened.
 *
 * @param reason Why, for the operator. No personal data: it is shown and logged.
 */
export const manualReview = (reason: string): SoukError => sagaErrors.MANUAL_REVIEW({ reason });

/** What was thrown, as one of the five ways to fail. Unknown is never treated as failed. */
export function classify(thrown: unknown): Extract<Outcome, { error: SoukError }> {
  const error = fromUnknown(thrown);
  const { retry, code } = error;
  if (hasReason(error, 'SAGA_MANUAL_REVIEW')) return { is: 'review', error, afterMs: 0 };
  if (retry.kind === 'later') return { is: 'failed', error, afterMs: wholeMs(retry.afterMs) };
  if (retry.kind === 'unknownOutcome' || UNKNOWN.has(code)) return { is: 'unknown', error, afterMs: 0 };
  return { is: DEFECTS.has(code) ? 'defect' : 'refused', error, afterMs: 0 };
}

/** What comes from elsewhere may be anything; times in the journal are whole and finite. */
const wholeMs = (ms = 0): number => Math.ceil(Math.min(Math.max(ms || 0, 0), LONGEST_AFTER_MS));

/** The result as the journal will give it back: a step after a restart sees the same as one before it. */
export function toJson(step: string, result: unknown): Json | undefined {
  if (result === undefined || result === null || typeof result === 'string' || typeof result === 'boolean')
    return result;
  try {
    return JSON.parse(JSON.stringify(result)) as Json;
  } catch (cause) {
    throw sagaErrors.RESULT_NOT_JSON({ step }, { cause });
  }
}

export const recordError = ({ code, reason, message }: SoukError): RecordedError => ({ code, reason, message });
