import { idempotencyErrors } from './errors.ts';
import type { ServedMethod } from './routed-method.ts';

const PRINTABLE = /^[\x20-\x7e]{1,255}$/;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

/**
 * The key of a call, from the header as a bare token or as a quoted string (RFC 9651).
 * @throws IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_INVALID
 */
export function readIdempotencyKey(method: ServedMethod, header: string | undefined): string | undefined {
  if (header === undefined || header === '') {
    if (method.rules.idempotency === 'key') throw idempotencyErrors.KEY_REQUIRED();
    return undefined;
  }
  const quoted = QUOTED.exec(header.trim())?.[1]?.replace(/\\(["\\])/g, '$1');
  const key = quoted ?? header.trim();
  if (!PRINTABLE.test(key)) throw idempotencyErrors.KEY_INVALID();
  return key;
}
