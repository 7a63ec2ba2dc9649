import type { Violation } from '@souk/kernel';

/** Violations reported at once; a request that breaks more rules learns of the rest next time. */
export const MAX_VIOLATIONS = 20;

/** Adds a step to a JSON pointer (RFC 6901). */
export const step = (pointer: string, key: string | number): string =>
  typeof key === 'number' || !NEEDS_ESCAPE.test(key)
    ? `${pointer}/${key}`
    : `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const NEEDS_ESCAPE = /[~/]/;

export function report(out: Violation[], pointer: string, detail: string): void {
  if (out.length < MAX_VIOLATIONS) out.push({ pointer, detail });
}
