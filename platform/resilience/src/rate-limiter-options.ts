import { atLeast, oneOf, wholeAtLeast } from './check-option.ts';

/**
 * - `gcra`: evenly spaced, with a burst; one number of memory. Where nothing else is wanted.
 * - `token_bucket`: the same admissions, told as tokens that fill up.
 * - `sliding_window`: never more than `limit` within any period, and up to a tenth fewer.
 */
export type RateAlgorithm = 'gcra' | 'token_bucket' | 'sliding_window';

export interface RateLimiterOptions {
  /** Calls per period. */
  readonly limit: number;
  /** Milliseconds. @default 1000 */
  readonly periodMs?: number;
  /** Calls that may come at once. Not for `sliding_window`. @default the limit */
  readonly burst?: number;
  /** @default 'gcra' */
  readonly algorithm?: RateAlgorithm;
  /** Longest wait for a turn in milliseconds; 0: what comes too early is refused. @default 0 */
  readonly maxWaitMs?: number;
}

export interface RateLimiterSettings {
  readonly limit: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly algorithm: RateAlgorithm;
  readonly maxWaitMs: number;
}

const ALGORITHMS: readonly RateAlgorithm[] = ['gcra', 'token_bucket', 'sliding_window'];

/** @throws RESILIENCE_BAD_OPTION */
export function resolveRateLimiter(options: RateLimiterOptions): RateLimiterSettings {
  const limit = wholeAtLeast('rateLimit.limit', options.limit, 1);
  return Object.freeze({
    limit,
    periodMs: atLeast('rateLimit.periodMs', options.periodMs ?? 1000, 1),
    burst: wholeAtLeast('rateLimit.burst', options.burst ?? limit, 1),
    algorithm: oneOf('rateLimit.algorithm', options.algorithm ?? 'gcra', ALGORITHMS),
    maxWaitMs: atLeast('rateLimit.maxWaitMs', options.maxWaitMs ?? 0, 0),
  });
}
