import { STATUS_CODES } from 'node:http';
import type { SoukError } from '@souk/kernel';
import type { HttpCall, HttpReply } from './http-call.ts';
import { restStatus } from './http-status.ts';

/** Says an error as a problem document (RFC 9457). `code` is the error's reason: the part that clients may rely on. */
export function problemReply(error: SoukError, call: Pick<HttpCall, 'path' | 'trace'>): HttpReply {
  const status = restStatus(error);
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
  if (error.retry.kind === 'later')
    headers['retry-after'] = String(Math.max(1, Math.ceil((error.retry.afterMs ?? 0) / 1000)));
  if (status === 401) headers['www-authenticate'] = challenge(error);
  if (error.details.allow !== undefined) headers.allow = error.details.allow;
  const problem = {
    ...error.details,
    type: `urn:souk:error:${error.reason}`,
    title: STATUS_CODES[status] ?? 'Client Closed Request',
    status,
    detail: error.message,
    instance: call.path,
    code: error.reason,
    traceId: call.trace.traceId,
    ...(error.violations.length > 0 ? { errors: error.violations } : {}),
  };
  return { status, headers, body: JSON.stringify(problem) };
}

const challenge = (error: SoukError): string =>
  error.reason.startsWith('TOKEN_') ? 'Bearer realm="souk", error="invalid_token"' : 'Bearer realm="souk"';
