import type { Random } from '@souk/kernel';

/** Full jitter: anywhere between 0 and the doubled delay, so that many that failed together do not come back together. */
export function backoffMs(
  random: Random,
  attempt: number,
  limits: { readonly firstDelayMs: number; readonly maxDelayMs: number },
): number {
  const ceiling = Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** Math.min(attempt - 1, 40));
  return Math.ceil(random.next() * ceiling);
}

/** For undos and `onCompensated`, which go on for a day. */
export const UNDO_BACKOFF = { firstDelayMs: 200, maxDelayMs: 300_000 } as const;
