import type { SoukError } from '@souk/kernel';
import { notSent, rpcErrors } from '@souk/rpc';

/** What is known of a call when its connection fails. */
export interface FailedExchange {
  readonly method: string;
  readonly service: string;
  /** Whether anything of it may have been sent. */
  readonly isSent: boolean;
  /** Bytes. */
  readonly answerLimit: number;
}

const UNREADABLE: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
]);

const codeOf = (cause: Error): string => String((cause as { code?: unknown }).code ?? '');

/** Whether there was an answer, but none that HTTP or we allow. */
export const isUnreadable = (cause: Error): boolean =>
  cause.name === 'HTTPParserError' || UNREADABLE.has(codeOf(cause));

/** Says a failure of the connection in our words. */
export function explain(cause: Error, { method, service, isSent, answerLimit }: FailedExchange): SoukError {
  const code = codeOf(cause);
  // A header that HTTP does not allow: nobody else could send it either.
  if (code === 'UND_ERR_INVALID_ARG') return rpcErrors.BAD_CALL({ method }, { cause });
  if (!isSent) return notSent(service, cause);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
    return rpcErrors.ANSWER_TOO_LARGE({ service, limit: answerLimit }, { cause });
  if (isUnreadable(cause)) return rpcErrors.BAD_ANSWER({ service }, { cause });
  return rpcErrors.UNREACHABLE({ service }, { cause });
}
