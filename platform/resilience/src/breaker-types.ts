import type { Override, OverrideView } from './breaker-operator.ts';
import type { BreakerSettings } from './breaker-options.ts';
import type { Outcome } from './outcome.ts';

/**
 * - `enforce`: it refuses when it is open.
 * - `metrics_only`: it tells when it would open, and refuses nothing.
 * - `disabled`: it lets everything through and notes nothing.
 */
export type BreakerMode = 'enforce' | 'metrics_only' | 'disabled';

export type BreakerState =
  | 'CLOSED'
  | 'OPEN'
  | 'HALF_OPEN'
  | 'FORCED_OPEN'
  | 'FORCED_CLOSED'
  | 'METRICS_ONLY'
  | 'DISABLED';

/** The right to make one call. Ends by `settle`, once. */
export interface BreakerPermit {
  readonly generation: number;
  /** Whether the call shows if all is well again. */
  readonly probe: boolean;
  readonly startedMs: number;
  released: boolean;
}

export interface BreakerTransition {
  readonly from: BreakerState;
  readonly to: BreakerState;
  readonly reason: string;
  readonly generation: number;
  readonly failureRate: number | undefined;
  readonly slowRate: number | undefined;
  readonly nowMs: number;
}

export interface BreakerView {
  readonly state: BreakerState;
  /** OPEN, and the next call would be let through. */
  readonly eligible: boolean;
  readonly generation: number;
  /** Calls in the window. */
  readonly calls: number;
  /** Undefined while there are too few calls to tell. */
  readonly failureRate: number | undefined;
  readonly slowRate: number | undefined;
  /** Milliseconds until it may be called again; 0 when it may. */
  readonly openForMs: number;
  /** Monotonic milliseconds of the last change of state. */
  readonly sinceMs: number;
  /** What the failure threw that opened it. For the log: it may hold what clients must not see. */
  readonly lastCause: unknown;
  readonly overrides: readonly OverrideView[];
  /** Whether others have advised to be careful. */
  readonly advised: boolean;
  /** Results of calls that began before the last change of state. */
  readonly late: number;
  /** Permits that were given back twice: a defect of the caller. */
  readonly doubleReleases: number;
  /** Times it would have opened, had it been asked to enforce. */
  readonly wouldOpen: number;
}

/** State as data. Times are what is left of them, so that they mean the same to another clock. */
export interface BreakerSnapshot {
  readonly state: 'CLOSED' | 'OPEN' | 'HALF_OPEN';
  readonly openForMs: number;
  readonly attempt: number;
  readonly generation: number;
  readonly overrides: readonly OverrideView[];
}

export interface Breaker {
  /** Undefined: refused. Never waits for the verdict of others. */
  tryAcquire(nowMs: number): BreakerPermit | undefined;
  /** Tells how a call ended, once for each permit. @param error What a failure threw. */
  settle(permit: BreakerPermit, outcome: Outcome, nowMs: number, error?: unknown): void;
  /** Milliseconds until a call may be let through; 0 when it may now. Changes nothing. */
  retryAfterMs(nowMs: number): number;
  /** Whether it refuses calls, or lets through no more than probes; as of the last call. */
  readonly isGuarding: boolean;
  /** Changes nothing, and takes no permit. */
  peek(nowMs: number): BreakerView;
  /** Keeps it open, until the owner releases it or the time is over. @throws RESILIENCE_BAD_OPTION without owner, reason or end. */
  isolate(by: Override, nowMs: number): void;
  /** Keeps it closed, in the same way: calls are noted, and none is refused. */
  forceClosed(by: Override, nowMs: number): void;
  release(owner: string, nowMs: number): void;
  /** Closed, and nothing remembered; overrides are gone. */
  reset(nowMs: number): void;
  setMode(mode: BreakerMode, nowMs: number): void;
  /**
   * Many other instances find the target in trouble: until then be quick to open, and let a tenth through where several calls are
   * under way. Own successes count for more: five of them end it.
   */
  advise(untilMs: number, nowMs: number): void;
  snapshot(nowMs: number): BreakerSnapshot;
  restore(snapshot: BreakerSnapshot, nowMs: number): void;
  configure(settings: BreakerSettings, nowMs: number): void;
}
