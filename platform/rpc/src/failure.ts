import { type Code, type Context, fromUnknown, type Runtime, SoukError } from '@souk/kernel';

/** Codes that say the fault is ours. */
const OURS: ReadonlySet<Code> = new Set(['internal', 'unknown', 'data_loss']);
/** Codes that say something around us is in trouble. */
const TROUBLE: ReadonlySet<Code> = new Set(['unavailable', 'deadline_exceeded', 'resource_exhausted']);

/**
 * Logs what made a call fail, with its cause, and gives the error that the caller may see. A fault of ours carries an `errorId` in
 * both, so that a user's report finds the line.
 */
export function logFailure(runtime: Runtime, ctx: Context, thrown: unknown): SoukError {
  const error = fromUnknown(thrown);
  if (OURS.has(error.code)) {
    const errorId = error.details.errorId ?? runtime.ids.next('err');
    ctx.log.error('a call failed', { errorId, err: error });
    return new SoukError({ ...publicPart(error), details: { ...error.details, errorId } });
  }
  if (TROUBLE.has(error.code)) ctx.log.warn('a call failed', { err: error });
  else ctx.log.debug('a call was refused', { err: error });
  return error;
}

const publicPart = (error: SoukError) => ({
  code: error.code,
  reason: error.reason,
  message: error.message,
  retry: error.retry,
  httpStatus: error.httpStatus,
  violations: error.violations,
  cause: error.cause,
});
