import { atLeast, ratio, wholeAtLeast } from './check-option.ts';
import { resilienceErrors } from './errors.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';

/** For reads that are cheap: calls that say of themselves that they must not be repeated are never hedged. */
export interface HedgeOptions {
  /**
   * Milliseconds after which another attempt starts beside the first. 0: at once. Negative: only when the first has failed. Left out: the
   * percentile below of what calls took lately, so that about one call in twenty is hedged.
   */
  readonly delayMs?: number;
  /** @default 0.95 */
  readonly percentile?: number;
  /** Least milliseconds that the percentile may give. @default 10 */
  readonly floorMs?: number;
  /** Calls that must have been seen before the percentile is believed; until then nothing is hedged. @default 50 */
  readonly minSamples?: number;
  /** Attempts of one round, the first included; at most 5. @default 2 */
  readonly maxAttempts?: number;
  /** Extra attempts per call. @default { ratio: 0.05, minPerSec: 1 } */
  readonly budget?: RetryBudgetOptions;
}

export interface HedgeSettings {
  /** Undefined: by percentile. */
  readonly delayMs: number | undefined;
  readonly percentile: number;
  readonly floorMs: number;
  readonly minSamples: number;
  readonly maxAttempts: number;
  readonly budget: RetryBudgetOptions;
}

const MOST_ATTEMPTS = 5;

/** @throws RESILIENCE_BAD_OPTION */
export function resolveHedge(options: HedgeOptions = {}): HedgeSettings {
  const maxAttempts = wholeAtLeast('hedge.maxAttempts', options.maxAttempts ?? 2, 2);
  if (maxAttempts > MOST_ATTEMPTS)
    throw resilienceErrors.BAD_OPTION({
      option: 'hedge.maxAttempts',
      want: `at most ${MOST_ATTEMPTS}`,
      got: maxAttempts,
    });
  return Object.freeze({
    delayMs: options.delayMs,
    percentile: ratio('hedge.percentile', options.percentile ?? 0.95),
    floorMs: atLeast('hedge.floorMs', options.floorMs ?? 10, 0),
    minSamples: wholeAtLeast('hedge.minSamples', options.minSamples ?? 50, 1),
    maxAttempts,
    budget: options.budget ?? { ratio: 0.05, minPerSec: 1 },
  });
}
