import type { BreakerOptions } from './breaker-options.ts';
import type { CoalesceOptions } from './coalesce.ts';
import type { DynamicOptions } from './dynamic.ts';
import type { GateOptions } from './gate-options.ts';
import type { HedgeOptions } from './hedge.ts';
import type { RateLimiterOptions } from './rate-limiter-options.ts';
import type { RetryOptions } from './retry-options.ts';
import type { ShedOptions } from './shed-options.ts';
import type { ThrottleOptions } from './throttle.ts';

export interface TimeoutOptions {
  /** Milliseconds that one attempt may take. */
  readonly ms: number;
  /**
   * - `race`: the caller is answered at once; work that goes on keeps its slot until it settles.
   * - `cooperative`: the signal aborts, and the work is waited for.
   * @default 'race'
   */
  readonly mode?: 'race' | 'cooperative';
}

/**
 * - `enforce`: policies do what they say.
 * - `shadow`: what would be refused is counted and goes through; nothing is repeated, hedged or given up.
 * - `off`: the work is called, and nothing else happens.
 */
export type PolicyMode = 'enforce' | 'shadow' | 'off';

/** A policy as data. Layers that are left out do nothing. The order is fixed, outermost first, as the fields are here. */
export interface PolicyConfig {
  /** @default 'enforce' */
  readonly mode?: PolicyMode;
  /** Whether latencies are kept where no layer needs them. @default false */
  readonly observe?: boolean;
  /** Thresholds that follow the traffic, within bounds. */
  readonly dynamic?: DynamicOptions;
  /** Milliseconds for the whole call: attempts, waits and queues. */
  readonly deadlineMs?: number;
  /** One call for all who ask for the same at the same time, and its answer for those who ask soon after. */
  readonly coalesce?: CoalesceOptions;
  readonly retry?: RetryOptions;
  readonly hedge?: HedgeOptions;
  /** Slows down when the other side refuses. */
  readonly throttle?: ThrottleOptions;
  readonly rateLimit?: RateLimiterOptions;
  /** Refuses what is least important when there is more than can be done. */
  readonly shed?: ShedOptions;
  readonly bulkhead?: GateOptions;
  readonly breaker?: BreakerOptions;
  readonly timeout?: number | TimeoutOptions;
}
