import { atLeast, oneOf, ratio, wholeAtLeast } from './check-option.ts';
import { checkWindow, type WindowOptions } from './outcome-window.ts';

export interface BreakerOptions {
  /** What rates are made of. A window of time forgets a bad minute however rare calls are. @default 30 buckets of 1000 ms */
  readonly window?: WindowOptions;
  /** Calls that the window must hold before a rate means anything. Higher: blind for longer where calls are rare. @default 20 */
  readonly minCalls?: number;
  /** Opens when at least this share of the calls failed. @default 0.5 */
  readonly failureRate?: number;
  /** Milliseconds from which a call is slow, whether it failed or not. @default none is */
  readonly slowMs?: number;
  /** Opens when at least this share of the calls was slow. @default no share */
  readonly slowRate?: number;
  /**
   * Opens after so many failures in a row, however few calls there are; 0: never. For targets that are called too rarely for `minCalls`; where
   * calls are many, chance alone makes rows of five. @default 0
   */
  readonly consecutive?: number;
  /** Milliseconds that it stays open the first time. @default 5000 */
  readonly openMs?: number;
  /** What that is multiplied by when probes fail. @default 2 */
  readonly openFactor?: number;
  /** Longest time open, in milliseconds, also where the target asks for more. @default 60000 */
  readonly openMaxMs?: number;
  /** Share by which times differ, so that instances do not come back together. @default 0.2 */
  readonly openJitter?: number;
  /** Calls that are let through to see whether all is well again. @default 3 */
  readonly halfOpenPermits?: number;
  /** Milliseconds after which a probe that has not ended has failed; what it brings then is ignored. @default 10000 */
  readonly probeTimeoutMs?: number;
  /** Milliseconds after which a round of probes is over, and what it then becomes. @default 10000 */
  readonly halfOpenMaxWaitMs?: number;
  /** @default 'open' */
  readonly onHalfOpenTimeout?: 'open' | 'closed';
  /** Milliseconds after it closed in which the share that is let in grows from a tenth to all; 0: all at once. @default 10000 */
  readonly rampMs?: number;
}

export interface BreakerSettings {
  readonly window: WindowOptions;
  readonly minCalls: number;
  readonly failureRate: number;
  /** `Infinity`: no call is slow. */
  readonly slowMs: number;
  /** `Infinity`: never opens by it. */
  readonly slowRate: number;
  /** `Infinity`: never opens by it. */
  readonly consecutive: number;
  readonly openMs: number;
  readonly openFactor: number;
  readonly openMaxMs: number;
  readonly openJitter: number;
  readonly halfOpenPermits: number;
  readonly probeTimeoutMs: number;
  readonly halfOpenMaxWaitMs: number;
  readonly onHalfOpenTimeout: 'open' | 'closed';
  readonly rampMs: number;
}

const ENDS = ['open', 'closed'] as const;
const NEVER = Number.POSITIVE_INFINITY;

/** @throws RESILIENCE_BAD_OPTION */
export function resolveBreaker(options: BreakerOptions = {}): BreakerSettings {
  const consecutive = wholeAtLeast('breaker.consecutive', options.consecutive ?? 0, 0);
  const openMs = atLeast('breaker.openMs', options.openMs ?? 5000, 0);
  return Object.freeze({
    window: checkWindow(options.window ?? { buckets: 30, bucketMs: 1000 }),
    minCalls: wholeAtLeast('breaker.minCalls', options.minCalls ?? 20, 1),
    failureRate: ratio('breaker.failureRate', options.failureRate ?? 0.5),
    slowMs: options.slowMs === undefined ? NEVER : atLeast('breaker.slowMs', options.slowMs, 0),
    slowRate: options.slowRate === undefined ? NEVER : ratio('breaker.slowRate', options.slowRate),
    consecutive: consecutive === 0 ? NEVER : consecutive,
    openMs,
    openFactor: atLeast('breaker.openFactor', options.openFactor ?? 2, 1),
    openMaxMs: atLeast('breaker.openMaxMs', options.openMaxMs ?? Math.max(60_000, openMs), openMs),
    openJitter: ratio('breaker.openJitter', options.openJitter ?? 0.2),
    halfOpenPermits: wholeAtLeast('breaker.halfOpenPermits', options.halfOpenPermits ?? 3, 1),
    probeTimeoutMs: atLeast('breaker.probeTimeoutMs', options.probeTimeoutMs ?? 10_000, 1),
    halfOpenMaxWaitMs: atLeast('breaker.halfOpenMaxWaitMs', options.halfOpenMaxWaitMs ?? 10_000, 1),
    onHalfOpenTimeout: oneOf('breaker.onHalfOpenTimeout', options.onHalfOpenTimeout ?? 'open', ENDS),
    rampMs: atLeast('breaker.rampMs', options.rampMs ?? 10_000, 0),
  });
}
