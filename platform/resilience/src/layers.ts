import { type Clock, kernelErrors, type Random, type SoukError } from '@souk/kernel';
import type { Breaker } from './breaker-types.ts';
import type { Gate } from './gate.ts';
import type { HedgeSettings } from './hedge.ts';
import type { LatencyHistogram } from './latency-histogram.ts';
import type { PolicyListener } from './listener.ts';
import type { Classify, Outcome } from './outcome.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { Rejections } from './rejections.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RetrySettings } from './retry-options.ts';
import type { Shedder } from './shedder.ts';
import type { PolicyStats } from './stats.ts';
import type { Throttle } from './throttle.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What a policy is made of. */
export interface LayerParts {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly stats: PolicyStats;
  readonly rejections: Rejections;
  readonly listener: PolicyListener | undefined;
  readonly classify: Classify;
  readonly classifyValue: ((value: unknown) => Outcome) | undefined;
  readonly isShadow: boolean;
  /** Milliseconds; `Infinity`: no limit. */
  readonly deadlineMs: number;
  readonly retry: RetrySettings | undefined;
  readonly retryBudget: RetryBudget | undefined;
  readonly hedge: HedgeSettings | undefined;
  readonly hedgeBudget: RetryBudget | undefined;
  readonly throttle: Throttle | undefined;
  readonly limiter: RateLimiter | undefined;
  /** Longest wait for a turn, in milliseconds. */
  readonly limiterWaitMs: number;
  readonly shedder: Shedder | undefined;
  readonly gate: Gate | undefined;
  readonly breaker: Breaker | undefined;
  /** Milliseconds from which a call is slow; `Infinity`: none is. */
  readonly slowMs: number;
  readonly latency: LatencyHistogram | undefined;
  readonly timeoutMs: number;
  readonly isCooperative: boolean;
}

const NO_GATES: readonly Gate[] = Object.freeze([]);

/** The layers of a policy as a configuration wants them. Never changed: calls on their way keep those they began with. */
export class Layers {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly stats: PolicyStats;
  readonly rejections: Rejections;
  readonly listener: PolicyListener | undefined;
  readonly classify: Classify;
  readonly classifyValue: ((value: unknown) => Outcome) | undefined;
  readonly isShadow: boolean;
  readonly deadlineMs: number;
  readonly retry: RetrySettings | undefined;
  readonly retryBudget: RetryBudget | undefined;
  readonly hedge: HedgeSettings | undefined;
  readonly hedgeBudget: RetryBudget | undefined;
  readonly throttle: Throttle | undefined;
  readonly limiter: RateLimiter | undefined;
  readonly limiterWaitMs: number;
  readonly shedder: Shedder | undefined;
  readonly gate: Gate | undefined;
  /** The shedder's and the bulkhead's, in this order, as far as there are any. */
  readonly gates: readonly Gate[];
  readonly breaker: Breaker | undefined;
  readonly slowMs: number;
  readonly latency: LatencyHistogram | undefined;
  readonly timeoutMs: number;
  readonly isCooperative: boolean;
  #owed: number[] | undefined;

  // One shape whatever the configuration: the fields are read in every call.
  constructor(parts: LayerParts) {
    this.name = parts.name;
    this.clock = parts.clock;
    this.random = parts.random;
    this.wheel = parts.wheel;
    this.stats = parts.stats;
    this.rejections = parts.rejections;
    this.listener = parts.listener;
    this.classify = parts.classify;
    this.classifyValue = parts.classifyValue;
    this.isShadow = parts.isShadow;
    this.deadlineMs = parts.deadlineMs;
    this.retry = parts.retry;
    this.retryBudget = parts.retryBudget;
    this.hedge = parts.hedge;
    this.hedgeBudget = parts.hedgeBudget;
    this.throttle = parts.throttle;
    this.limiter = parts.limiter;
    this.limiterWaitMs = parts.limiterWaitMs;
    this.shedder = parts.shedder;
    this.gate = parts.gate;
    const gates = [parts.shedder?.gate, parts.gate].filter((gate) => gate !== undefined);
    this.gates = gates.length === 0 ? NO_GATES : gates;
    this.breaker = parts.breaker;
    this.slowMs = parts.slowMs;
    this.latency = parts.latency;
    this.timeoutMs = parts.timeoutMs;
    this.isCooperative = parts.isCooperative;
  }

  /**
   * Hands a slot to the next that waits. One after the other: a waiter that is refused further in gives its slot back at once, and a
   * thousand of them must not nest.
   */
  releaseSlot(at: number, nowMs: number): void {
    const gate = this.gates[at];
    this.#owed ??= [0, 0];
    const owed = this.#owed;
    owed[at] = (owed[at] as number) + 1;
    if (gate === undefined || (owed[at] as number) > 1) return;
    try {
      for (; (owed[at] as number) > 0; owed[at] = (owed[at] as number) - 1) gate.release(nowMs);
    } finally {
      owed[at] = 0;
    }
  }

  /** Milliseconds that an attempt takes as a rule; 0 when it is not known. */
  usualMs(nowMs: number): number {
    return this.latency?.quantile(0.5, nowMs) ?? 0;
  }

  /** Milliseconds until the next attempt starts beside those that run; negative or `Infinity`: never by time. */
  hedgeDelay(nowMs: number): number {
    const { hedge, latency } = this;
    if (hedge === undefined) return Number.POSITIVE_INFINITY;
    if (hedge.delayMs !== undefined) return hedge.delayMs;
    if (latency === undefined || latency.count(nowMs) < hedge.minSamples) return Number.POSITIVE_INFINITY;
    return Math.max(hedge.floorMs, latency.quantile(hedge.percentile, nowMs) ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the other side can bear more than is needed, and the budget too; takes from the budget. */
  mayHedge(nowMs: number): boolean {
    if (this.isShadow) return false;
    for (const gate of this.gates) if (gate.queued > 0) return false;
    if (this.breaker !== undefined && this.breaker.peek(nowMs).state !== 'CLOSED') return false;
    return this.hedgeBudget?.tryTake(nowMs) ?? true;
  }

  /** Why the slower attempts of a call are called off. */
  outrun(): SoukError {
    return kernelErrors.CANCELED();
  }
}
