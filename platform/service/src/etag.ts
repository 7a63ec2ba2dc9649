import { serviceErrors } from './errors.ts';

/**
 * Compares the version a client has seen (`"3"`, `3`, `W/"3"`, `*` or empty for any) with the current one.
 *
 * @throws SERVICE_ETAG_MALFORMED, or SERVICE_VERSION_MISMATCH (412) when they differ
 */
export function checkEtag(etag: string, current: number): void {
  if (etag === '' || etag === '*') return;
  const digits = /^(?:W\/)?"?(\d{1,10})"?$/.exec(etag.trim())?.[1];
  if (digits === undefined) throw serviceErrors.ETAG_MALFORMED();
  if (Number(digits) !== current) throw serviceErrors.VERSION_MISMATCH({ seen: digits, current });
}
