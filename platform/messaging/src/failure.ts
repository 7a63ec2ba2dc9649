import type { Random, SoukError } from '@souk/kernel';

/** Waits before the delayed attempts, in milliseconds; after the last one an event is a dead letter. */
export const RETRY_DELAYS_MS: readonly number[] = [5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000];

/** What is tried in place before an event is put aside. */
export const TRIES_IN_PLACE = 2;

/** A wait this short is sat out in place. Milliseconds. */
const SHORT_WAIT_MS = 500;

/** These say that the moment was bad, whatever the error thinks of a repeat. */
const MOMENTARY: ReadonlySet<string> = new Set([
  'canceled',
  'deadline_exceeded',
  'unavailable',
  'aborted',
  'resource_exhausted',
]);

export type Verdict =
  /** Try again without letting go of the event. */
  | { readonly is: 'again'; readonly afterMs: number }
  /** Put it aside. */
  | { readonly is: 'later'; readonly afterMs: number }
  /** A repeat cannot help. */
  | { readonly is: 'dead' };

export const isPermanent = (error: SoukError): boolean => error.retry.kind === 'never' && !MOMENTARY.has(error.code);

/** What follows a failure inside the delivery. @param attempt 1 for the first. */
export function afterFirstFailures(error: SoukError, attempt: number, random: Random): Verdict {
  if (isPermanent(error)) return { is: 'dead' };
  const askedMs = waitAsked(error);
  if (attempt < TRIES_IN_PLACE && (askedMs ?? 0) <= SHORT_WAIT_MS) {
    return { is: 'again', afterMs: Math.max(askedMs ?? 0, 50 + random.next() * 150) };
  }
  return { is: 'later', afterMs: askedMs ?? delayed(0, random) };
}

/**
 * What follows a failure of a delayed attempt. An error may ask for a longer wait, not for a shorter one: whoever is away for an hour and asks
 * to come again in a second each time would use up all attempts in a few seconds.
 *
 * @param attempts Delayed attempts so far, this one included.
 */
export function afterDelayedFailure(error: SoukError, attempts: number, random: Random): Verdict {
  if (isPermanent(error) || attempts >= RETRY_DELAYS_MS.length) return { is: 'dead' };
  return { is: 'later', afterMs: Math.max(waitAsked(error) ?? 0, delayed(attempts, random)) };
}

const waitAsked = (error: SoukError): number | undefined =>
  error.retry.kind === 'later' ? error.retry.afterMs : undefined;

/** A fifth more or less, so that many that failed together do not come back together. */
const delayed = (step: number, random: Random): number =>
  (RETRY_DELAYS_MS[step] as number) * (0.8 + random.next() * 0.4);
