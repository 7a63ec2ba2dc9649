import { isSoukError, type Random } from '@souk/kernel';
import { type BackoffMemory, backoffDelay } from './backoff.ts';
import type { Outcome } from './outcome.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RetrySettings } from './retry-options.ts';

/** Why there is no further attempt. */
export type StoppedBy = 'outcome' | 'attempts' | 'unrepeatable' | 'server' | 'deadline' | 'budget';

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly outcome: Outcome;
  readonly error: unknown;
  /** 1 for the first. */
  readonly attempt: number;
  readonly idempotent: boolean;
  /** Milliseconds left for the whole call; `Infinity`: no limit. */
  readonly remainingMs: number;
  /** Milliseconds that an attempt takes as a rule; 0 when it is not known. */
  readonly usualMs: number;
}

/**
 * Milliseconds to wait before the next attempt, or why there is none. Whoever gets a delay has paid for the attempt: the budget is
 * taken from here, when a retry is scheduled, and last, so that what is refused for another reason costs nothing.
 */
export function nextDelay(
  settings: RetrySettings,
  budget: RetryBudget | undefined,
  memory: BackoffMemory,
  random: Random,
  failed: FailedAttempt,
  nowMs: number,
): number | StoppedBy {
  const { outcome, error, attempt } = failed;
  if (!mayRepeat(outcome, error)) return 'outcome';
  if (attempt >= settings.maxAttempts) return 'attempts';
  const kind = isSoukError(error) ? error.retry.kind : 'unknownOutcome';
  if (kind === 'never') return 'server';
  if (!failed.idempotent && (kind === 'unknownOutcome' || !settings.trustsRefusals)) return 'unrepeatable';
  const asked = askedDelay(error);
  if (asked > settings.maxServerDelayMs || asked < 0) return 'server';
  let delay = backoffDelay(settings.backoff, attempt, memory, random);
  if (asked > 0) {
    // Those who were told the same time must not come back at the same time.
    delay = Math.max(delay, asked) + random.next() * asked * 0.1;
    memory.previous = 0;
  }
  if (failed.remainingMs < delay + failed.usualMs) return 'deadline';
  return budget === undefined || budget.tryTake(nowMs) ? delay : 'budget';
}

/** Whether a repeat can bring anything: a server at work may ask for one too, as when two requests with one key met. */
export const mayRepeat = (outcome: Outcome, error: unknown): boolean =>
  outcome === 'failure' ||
  outcome === 'throttled' ||
  (outcome === 'success' && isSoukError(error) && error.retry.kind === 'later');

/** Milliseconds that the server asked to wait; negative: it wants no retry. */
function askedDelay(error: unknown): number {
  if (!isSoukError(error) || error.retry.kind !== 'later') return 0;
  const { afterMs = 0 } = error.retry;
  return Number.isFinite(afterMs) ? afterMs : -1;
}

/**
 * Milliseconds to wait by an HTTP `Retry-After`: seconds, or a date. Undefined when there is none or it says nothing.
 * @param nowMs Milliseconds since 1970, for a date.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // RFC 9110 dates name their month; what Date.parse makes of anything else is a guess.
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
