import { atLeast, oneOf, ratio, wholeAtLeast } from './check-option.ts';
import { resilienceErrors } from './errors.ts';

export type LimitAlgorithm = 'correlation' | 'vegas' | 'gradient2' | 'aimd';

export interface AdaptiveLimitOptions {
  /**
   * How the limit follows the latency.
   * All go down by a tenth when calls are dropped. All but `aimd` go down as well when more concurrency brings no more throughput, and
   * measure their baseline anew when less of it makes nothing faster.
   * - `correlation`: Vegas on smoothed latencies.
   * - `vegas`: by the queue that the latency above its minimum stands for.
   * - `gradient2`: by long-term over short-term latency.
   * - `aimd`: up by one, down by a tenth when calls take longer than `timeoutMs`.
   * @default 'correlation'
   */
  readonly algorithm?: LimitAlgorithm;
  /** @default 20 */
  readonly initial?: number;
  /** Never lower: so many calls are let in whatever they take. @default 4 */
  readonly min?: number;
  /** @default 1000 */
  readonly max?: number;
  /** A sample is looked at after so many milliseconds, if it has at least `minSamples` calls. @default 1000 */
  readonly windowMs?: number;
  /** @default 50 */
  readonly minSamples?: number;
  /**
   * Share of the calls that may fail for reasons other than too much at once. Without it one failure in a hundred, whatever its cause,
   * would bring the limit down to its minimum. @default 0.02
   */
  readonly tolerance?: number;
  /** For `aimd`: milliseconds from which calls take too long, whatever they usually take. @default 1000 */
  readonly timeoutMs?: number;
  /** Share of the way to a new limit that is gone at once. @default 0.2 */
  readonly smoothing?: number;
}

export interface AdaptiveLimitSettings {
  readonly algorithm: LimitAlgorithm;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly windowMs: number;
  readonly minSamples: number;
  readonly tolerance: number;
  readonly timeoutMs: number;
  readonly smoothing: number;
}

const ALGORITHMS: readonly LimitAlgorithm[] = ['correlation', 'vegas', 'gradient2', 'aimd'];

/** @throws RESILIENCE_BAD_OPTION */
export function resolveAdaptiveLimit(options: AdaptiveLimitOptions = {}): AdaptiveLimitSettings {
  const min = wholeAtLeast('limit.min', options.min ?? 4, 1);
  const max = wholeAtLeast('limit.max', options.max ?? 1000, min);
  const initial = wholeAtLeast('limit.initial', options.initial ?? Math.min(Math.max(20, min), max), min);
  if (initial > max)
    throw resilienceErrors.BAD_OPTION({ option: 'limit.initial', want: `at most ${max}`, got: initial });
  return Object.freeze({
    algorithm: oneOf('limit.algorithm', options.algorithm ?? 'correlation', ALGORITHMS),
    initial,
    min,
    max,
    windowMs: atLeast('limit.windowMs', options.windowMs ?? 1000, 1),
    minSamples: wholeAtLeast('limit.minSamples', options.minSamples ?? 50, 1),
    tolerance: ratio('limit.tolerance', options.tolerance ?? 0.02),
    timeoutMs: atLeast('limit.timeoutMs', options.timeoutMs ?? 1000, 1),
    smoothing: ratio('limit.smoothing', options.smoothing ?? 0.2),
  });
}
