import { type Code, isSoukError } from '@souk/kernel';

/**
 * How a call ended, as far as policies care.
 *
 * | class | breaker | retry | adaptive limit |
 * |---|---|---|---|
 * | success | success | if the server asks for it | its latency counts |
 * | failure | failure | if the call may be repeated | a drop; its latency does not count |
 * | throttled | neutral | after the time the server gave | a drop |
 * | cancelled | neutral, the permit goes back | no | neither |
 * | rejected | nothing: no work was done | no | nothing |
 * | ignored | neutral, the permit goes back | no | its latency counts |
 */
export type Outcome = 'success' | 'failure' | 'throttled' | 'cancelled' | 'rejected' | 'ignored';

/** Tells the class of what a call threw. One for each dependency, never two of different opinion. */
export type Classify = (error: unknown) => Outcome;

const OF_CODE: Readonly<Record<Code, Outcome>> = {
  canceled: 'cancelled',
  resource_exhausted: 'throttled',
  unknown: 'failure',
  deadline_exceeded: 'failure',
  internal: 'failure',
  unavailable: 'failure',
  data_loss: 'failure',
  // The server answered, and the caller was at fault: that is a server at work.
  invalid_argument: 'success',
  not_found: 'success',
  already_exists: 'success',
  permission_denied: 'success',
  failed_precondition: 'success',
  aborted: 'success',
  out_of_range: 'success',
  unimplemented: 'success',
  unauthenticated: 'success',
};

/** Reasons of errors that policies themselves throw without having called anybody. */
const REJECTIONS: ReadonlySet<string> = new Set([
  'RESILIENCE_BREAKER_OPEN',
  'RESILIENCE_BULKHEAD_FULL',
  'RESILIENCE_RATE_LIMITED',
  'RESILIENCE_SHED',
  'RESILIENCE_THROTTLED',
]);

/** Whether a policy threw this without calling anybody. */
export const isRejection = (error: unknown): boolean => isSoukError(error) && REJECTIONS.has(error.reason);

/**
 * The class by the error's code; what is no SoukError: `AbortError` is cancelled, everything else a failure.
 */
export const classifyError: Classify = (error) => {
  // Work that was refused by a policy of its own, here or in another process: nobody was at fault, and it may be asked again later.
  if (isSoukError(error)) return REJECTIONS.has(error.reason) ? 'throttled' : OF_CODE[error.code];
  return error instanceof Error && error.name === 'AbortError' ? 'cancelled' : 'failure';
};
