import { hasReason, isSoukError, type SoukError } from '@souk/kernel';
import { rpcErrors } from './errors.ts';

/*
 * Whether anything was sent is known by the side that sends, and believed to nobody else: a service that could not reach a third one says the
 * same words of its own call, while the call it was asked for may have been half done. What came from another process has no cause, what
 * happened here has one: that tells the two apart.
 */

/** The error of a call of which nothing has left this process, or that the other side has not looked at. It may go elsewhere at once. */
export const notSent = (service: string, cause: unknown): SoukError => rpcErrors.NOT_SENT({ service }, { cause });

/** Whether nothing of a call was sent by this process. */
export const isNotSent = (error: unknown): boolean => isLocal(error) && hasReason(error, 'RPC_NOT_SENT');

/** Whether a call got no answer, as far as this process knows. */
export const isUnreachable = (error: unknown): boolean =>
  isLocal(error) && (hasReason(error, 'RPC_NOT_SENT') || hasReason(error, 'RPC_UNREACHABLE'));

const isLocal = (error: unknown): boolean => isSoukError(error) && error.cause !== undefined;
