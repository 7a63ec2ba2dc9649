import { ANONYMOUS, type Caller } from '@souk/kernel';

/**
 * Carries the caller between parts of one process. Whoever takes calls from outside ignores it: it proves nothing.
 */
export const CALLER_HEADER = 'souk-caller';

export const writeCaller = (caller: Caller): string =>
  JSON.stringify({ userId: caller.userId, roles: caller.roles, service: caller.service });

export function readCaller(header: string | undefined): Caller {
  return header === undefined ? ANONYMOUS : (JSON.parse(header) as Caller);
}
