import { isSoukError, type Random } from '@souk/kernel';

const FIRST_MS = 100;

/**
 * How long to wait after so many failures in a row: twice as long each time, by half at random, so that clients of a registry that comes
 * back do not come all at once.
 *
 * @param error What it failed with: the wait it asks for is kept.
 */
export function pauseMs(failures: number, longestMs: number, random: Random, error: unknown): number {
  const wholeMs = Math.min(longestMs, FIRST_MS * 2 ** Math.min(failures, 16));
  const askedMs = isSoukError(error) && error.retry.kind === 'later' ? (error.retry.afterMs ?? 0) : 0;
  return Math.max(askedMs, wholeMs * (0.5 + random.next() / 2));
}
