import type { Clock, Random } from '@souk/kernel';
import { createBreaker } from './breaker.ts';
import { type BreakerSettings, resolveBreaker } from './breaker-options.ts';
import type { Breaker, BreakerTransition } from './breaker-types.ts';
import { atLeast, oneOf } from './check-option.ts';
import { resolveCoalesce } from './coalesce.ts';
import { checkDynamic } from './dynamic.ts';
import { createGate, type Gate } from './gate.ts';
import { resolveGate } from './gate-options.ts';
import { resolveHedge } from './hedge.ts';
import { checkNames } from './known-options.ts';
import { createLatencyHistogram, type LatencyHistogram } from './latency-histogram.ts';
import { Layers } from './layers.ts';
import type { PolicyListener } from './listener.ts';
import type { Classify, Outcome } from './outcome.ts';
import type { PolicyConfig, PolicyMode, TimeoutOptions } from './policy-config.ts';
import type { MakeBreaker } from './policy-registry.ts';
import { adjustRateLimiter, type RateLimiter } from './rate-limiter.ts';
import { resolveRateLimiter } from './rate-limiter-options.ts';
import { Rejections } from './rejections.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { resolveRetry } from './retry-options.ts';
import { resolveShed } from './shed-options.ts';
import { createShedder, type Shedder } from './shedder.ts';
import type { PolicyStats } from './stats.ts';
import { createThrottle, resolveThrottle, type Throttle } from './throttle.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What has a memory, and is kept when the configuration changes. */
export interface PolicyParts {
  readonly breaker?: Breaker | undefined;
  readonly gate?: Gate | undefined;
  readonly limiter?: RateLimiter | undefined;
  readonly shedder?: Shedder | undefined;
  readonly throttle?: Throttle | undefined;
  readonly retryBudget?: RetryBudget | undefined;
  readonly hedgeBudget?: RetryBudget | undefined;
  readonly latency?: LatencyHistogram | undefined;
}

/** What stays the same as long as the policy lives. */
export interface LayerContext {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly stats: PolicyStats;
  readonly listener: PolicyListener | undefined;
  readonly classify: Classify;
  readonly classifyValue: ((value: unknown) => Outcome) | undefined;
  readonly makeBreaker: MakeBreaker | undefined;
}

const NO_LAYERS: PolicyConfig = Object.freeze({});
const MODES: readonly PolicyMode[] = ['enforce', 'shadow', 'off'];
const TIMEOUT_MODES = ['race', 'cooperative'] as const;

/** Keeps a part and tells it what is new, makes one that was not there, and lets go of one that is not wanted. */
function keep<TPart extends { configure(settings: TSettings, nowMs: number): void }, TSettings>(
  part: TPart | undefined,
  settings: TSettings | undefined,
  make: (settings: TSettings) => TPart,
  nowMs: number,
): TPart | undefined {
  if (settings === undefined) return undefined;
  if (part === undefined) return make(settings);
  part.configure(settings, nowMs);
  return part;
}

/** What a configuration means. @throws RESILIENCE_BAD_OPTION */
export function resolveConfig(given: PolicyConfig) {
  checkNames(given);
  oneOf('mode', given.mode ?? 'enforce', MODES);
  const config = given.mode === 'off' ? NO_LAYERS : given;
  if (config.dynamic !== undefined) checkDynamic(config.dynamic);
  return {
    retry: config.retry && resolveRetry(config.retry),
    hedge: config.hedge && resolveHedge(config.hedge),
    throttle: config.throttle && resolveThrottle(config.throttle),
    rateLimit: config.rateLimit && resolveRateLimiter(config.rateLimit),
    shed: config.shed && resolveShed(config.shed),
    bulkhead: config.bulkhead && resolveGate(config.bulkhead),
    breaker: config.breaker && resolveBreaker(config.breaker),
    coalesce: config.coalesce && resolveCoalesce(config.coalesce),
    timeout: resolveTimeout(config.timeout),
    deadlineMs: atLeast('deadlineMs', config.deadlineMs ?? Number.POSITIVE_INFINITY, 0),
  };
}

/** Everything is checked before anything is changed. @throws RESILIENCE_BAD_OPTION */
export function buildLayers(config: PolicyConfig, old: PolicyParts, context: LayerContext): Layers {
  const { clock, random, name } = context;
  const nowMs = clock.monotonicMs();
  const resolved = resolveConfig(config);
  const isShadow = config.mode === 'shadow';
  const budget = resolved.retry?.budget;
  const parts: PolicyParts = {
    breaker: keep(old.breaker, resolved.breaker, (settings) => makeBreaker(settings, context), nowMs),
    gate: keep(old.gate, resolved.bulkhead, (settings) => createGate(settings), nowMs),
    limiter: resolved.rateLimit && adjustRateLimiter(old.limiter, resolved.rateLimit, nowMs),
    shedder: keep(old.shedder, resolved.shed, (settings) => createShedder(settings, { random }), nowMs),
    throttle: keep(old.throttle, resolved.throttle, (settings) => createThrottle(settings, random), nowMs),
    retryBudget: keep(old.retryBudget, budget === false ? undefined : budget, createRetryBudget, nowMs),
    hedgeBudget: keep(old.hedgeBudget, resolved.hedge?.budget, createRetryBudget, nowMs),
    latency:
      resolved.hedge === undefined &&
      resolved.retry === undefined &&
      config.observe !== true &&
      config.dynamic === undefined
        ? undefined
        : (old.latency ?? createLatencyHistogram()),
  };
  if (isShadow && parts.breaker !== undefined) parts.breaker.setMode('metrics_only', nowMs);
  else parts.breaker?.setMode('enforce', nowMs);
  return new Layers({
    ...context,
    ...parts,
    isShadow,
    rejections: new Rejections(name, parts.breaker),
    deadlineMs: resolved.deadlineMs,
    retry: resolved.retry,
    hedge: resolved.hedge,
    throttle: parts.throttle,
    limiter: parts.limiter,
    limiterWaitMs: resolved.rateLimit?.maxWaitMs ?? 0,
    shedder: parts.shedder,
    gate: parts.gate,
    breaker: parts.breaker,
    slowMs: resolved.breaker?.slowMs ?? Number.POSITIVE_INFINITY,
    latency: parts.latency,
    retryBudget: parts.retryBudget,
    hedgeBudget: parts.hedgeBudget,
    timeoutMs: resolved.timeout.ms,
    isCooperative: resolved.timeout.mode === 'cooperative',
  });
}

function makeBreaker(settings: BreakerSettings, context: LayerContext): Breaker {
  if (context.makeBreaker !== undefined || context.listener !== undefined) return toldBreaker(settings, context);
  return createBreaker(settings, { random: context.random });
}

/** A function of its own: the closures cost memory in each policy that has them. */
function toldBreaker(
  settings: BreakerSettings,
  { name, random, listener, makeBreaker: shared }: LayerContext,
): Breaker {
  const make = (tell: (change: BreakerTransition) => void): Breaker =>
    createBreaker(settings, {
      random,
      onTransition: (change) => {
        tell(change);
        listener?.onTransition?.({ policy: name, ...change });
      },
    });
  return shared === undefined ? make(() => {}) : shared(name, settings, make);
}

/** From JSON it may be anything. */
const isObject = (timeout: unknown): timeout is TimeoutOptions =>
  typeof timeout === 'object' && timeout !== null && !Array.isArray(timeout);

function resolveTimeout(timeout: number | TimeoutOptions | undefined): Required<TimeoutOptions> {
  if (timeout === undefined) return { ms: Number.POSITIVE_INFINITY, mode: 'race' };
  const { ms, mode = 'race' } = isObject(timeout) ? timeout : { ms: timeout };
  return {
    ms: atLeast(isObject(timeout) ? 'timeout.ms' : 'timeout', ms, 1),
    mode: oneOf('timeout.mode', mode, TIMEOUT_MODES),
  };
}
