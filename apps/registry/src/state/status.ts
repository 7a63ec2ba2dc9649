import type { Status } from './catalog.ts';

const RANK: Readonly<Record<Status, number>> = { passing: 0, warning: 1, critical: 2 };

export const isStatus = (value: string): value is Status => Object.hasOwn(RANK, value);

/** The worst status among checks; passing when there are none. */
export function worst(checks: Iterable<{ readonly status: Status }>): Status {
  let found: Status = 'passing';
  for (const { status } of checks) if (RANK[status] > RANK[found]) found = status;
  return found;
}
