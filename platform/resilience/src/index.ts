export type { AdaptiveLimitOptions, LimitAlgorithm } from './adaptive-limit-options.ts';
export type { AdviceMessage } from './advice-message.ts';
export type { BreakerSharingOptions } from './advice-options.ts';
export type { AdviceChannel } from './advice-outbox.ts';
export type { Attempt } from './attempt.ts';
export type { BackoffOptions, Growth, Jitter } from './backoff.ts';
export { createBreaker } from './breaker.ts';
export type { BreakerReport, Verdict } from './breaker-advice.ts';
export type { Override, OverrideView } from './breaker-operator.ts';
export { type BreakerOptions, type BreakerSettings, resolveBreaker } from './breaker-options.ts';
export {
  type BreakerSharing,
  type BreakerSharingInit,
  type BreakerSharingStats,
  type CommandStore,
  createBreakerSharing,
} from './breaker-sharing.ts';
export type {
  Breaker,
  BreakerMode,
  BreakerPermit,
  BreakerSnapshot,
  BreakerState,
  BreakerTransition,
  BreakerView,
} from './breaker-types.ts';
export type { CallInit, Result, Work } from './call.ts';
export type { CoalesceOptions } from './coalesce.ts';
export { fits, type PolicyChange } from './config-merge.ts';
export type { DynamicOptions } from './dynamic.ts';
export { resilienceErrors } from './errors.ts';
export type { FallbackCall, FallbackOn, FallbackOptions } from './fallback.ts';
export { createGate, type Gate, type GateRefusal, type GateView, type Waiter } from './gate.ts';
export { type GateOptions, type GateSettings, type QueueOrder, resolveGate } from './gate-options.ts';
export type { HedgeOptions } from './hedge.ts';
export {
  createKeyedRateLimiter,
  type KeyedRateLimiter,
  type KeyedRateLimiterOptions,
} from './keyed-rate-limiter.ts';
export type { PolicyListener } from './listener.ts';
export { createLoadSignal, type LoadSample, type LoadSignal } from './load-signal.ts';
export { watchNodeLoad } from './node-load.ts';
export type { HeldCommand, OperatorCommand, OperatorOrder } from './operator-commands.ts';
export { type Classify, classifyError, isRejection, type Outcome } from './outcome.ts';
export type { WindowOptions } from './outcome-window.ts';
export { createPolicy, type Policy, type PolicyFunctions, type PolicyInit, type PolicyLook } from './policy.ts';
export { type BuilderInit, type PolicyBuilder, policy } from './policy-builder.ts';
export type { PolicyConfig, PolicyMode, TimeoutOptions } from './policy-config.ts';
export {
  checkRules,
  createPolicyRegistry,
  type MakeBreaker,
  type PolicyRegistry,
  type PolicyRegistryInit,
  type PolicyRules,
  type RegisteredFunctions,
} from './policy-registry.ts';
export type { PolicyView } from './policy-view.ts';
export { POLICY_KINDS, type PolicyKind, PRESETS } from './presets.ts';
export { CRITICALITIES, type Criticality, isCriticality, lower, rankOf } from './priority.ts';
export type { LeaseStore } from './probe-lease.ts';
export { adjustRateLimiter, createRateLimiter, type RateLimiter, type RateLimitView } from './rate-limiter.ts';
export {
  type RateAlgorithm,
  type RateLimiterOptions,
  type RateLimiterSettings,
  resolveRateLimiter,
} from './rate-limiter-options.ts';
export { parseRetryAfter, type StoppedBy } from './retry.ts';
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';
export type { RetryOptions } from './retry-options.ts';
export type { SharedBreaker } from './shared-breaker.ts';
export type { ShedOptions } from './shed-options.ts';
export type { ShedView } from './shedder.ts';
export type { PolicyStats } from './stats.ts';
export type { ThrottleOptions } from './throttle.ts';
export { createTimerWheel, type TimerWheel, type WheelEntry } from './timer-wheel.ts';
