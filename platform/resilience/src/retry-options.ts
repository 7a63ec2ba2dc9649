import { type BackoffOptions, type BackoffSettings, resolveBackoff } from './backoff.ts';
import { atLeast, refuse, wholeAtLeast } from './check-option.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';

export interface RetryOptions {
  /** Calls in all, the first included; at most 5, for a target in trouble gets that many times its load. @default 3 */
  readonly maxAttempts?: number;
  readonly backoff?: BackoffOptions;
  /** `false`: no budget. Then a target that is down gets `maxAttempts` times its load. */
  readonly budget?: RetryBudgetOptions | false;
  /**
   * Whether calls may be repeated when it is not known whether they happened, where the call itself does not say. A call that surely did
   * not happen may always be.
   * @default false
   */
  readonly idempotent?: boolean;
  /**
   * Whether calls that may not be repeated are tried again all the same when the error says that nothing has happened. Off where errors come
   * through others, who may have done something before they failed.
   * @default true
   */
  readonly trustsRefusals?: boolean;
  /** Longest wait in milliseconds that a server may ask for; a longer one ends the call. @default 30000 */
  readonly maxServerDelayMs?: number;
}

export interface RetrySettings {
  readonly maxAttempts: number;
  readonly backoff: BackoffSettings;
  readonly budget: RetryBudgetOptions | false;
  readonly idempotent: boolean;
  readonly trustsRefusals: boolean;
  readonly maxServerDelayMs: number;
}

const MOST_ATTEMPTS = 5;

/** @throws RESILIENCE_BAD_OPTION */
export function resolveRetry(options: RetryOptions = {}): RetrySettings {
  const maxAttempts = wholeAtLeast('retry.maxAttempts', options.maxAttempts ?? 3, 1);
  if (maxAttempts > MOST_ATTEMPTS) refuse('retry.maxAttempts', `at most ${MOST_ATTEMPTS}`, maxAttempts);
  const { budget = {} } = options;
  if (budget !== false && (typeof budget !== 'object' || Array.isArray(budget)))
    refuse('retry.budget', 'false, or an object of options', budget);
  return Object.freeze({
    maxAttempts,
    backoff: resolveBackoff(options.backoff),
    budget,
    idempotent: options.idempotent ?? false,
    trustsRefusals: options.trustsRefusals ?? true,
    maxServerDelayMs: atLeast('retry.maxServerDelayMs', options.maxServerDelayMs ?? 30_000, 0),
  });
}
