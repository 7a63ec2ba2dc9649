import type { Runtime } from '@souk/kernel';
import type { Breaker, BreakerView } from './breaker-types.ts';
import { Call, type CallInit, NOTHING, type Result, type Work } from './call.ts';
import { Coalescer, resolveCoalesce } from './coalesce.ts';
import { adaptConfig } from './dynamic.ts';
import { createFallback, type Fallback, type FallbackOptions } from './fallback.ts';
import type { Gate, GateView } from './gate.ts';
import { buildLayers, type LayerContext, type PolicyParts, resolveConfig } from './layer-builder.ts';
import type { Layers } from './layers.ts';
import { guarded, type PolicyListener } from './listener.ts';
import { type Classify, classifyError, type Outcome } from './outcome.ts';
import type { PolicyConfig } from './policy-config.ts';
import type { MakeBreaker } from './policy-registry.ts';
import type { ShedView } from './shedder.ts';
import { PolicyStats } from './stats.ts';
import { createTimerWheel, type TimerWheel } from './timer-wheel.ts';

/** What cannot be written down as data. */
export interface PolicyFunctions<F = never> {
  readonly fallback?: FallbackOptions<F>;
  /** @default by the code of a SoukError; everything else that is thrown is a failure */
  readonly classify?: Classify;
  /** The class of an answer, where there are answers that say no. @default every answer is a success */
  readonly classifyValue?: (value: unknown) => Outcome;
  readonly listener?: PolicyListener;
}

export interface PolicyInit<F = never> extends PolicyFunctions<F> {
  /** Said in errors and metrics; no personal data. */
  readonly name: string;
  readonly config: PolicyConfig;
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  /** Shared by many policies. Default: a wheel of its own. */
  readonly wheel?: TimerWheel;
  /** Default: a breaker of this process alone. */
  readonly makeBreaker?: MakeBreaker | undefined;
}

/**
 * What stands between a caller and something that may fail. Layers, outermost first: fallback, deadline, coalesce, retry, hedge, throttle,
 * rate limit, shed, bulkhead, breaker, timeout.
 *
 * P1 The work runs at most once per attempt, and never once the caller has gone or the time is over.
 * P2 What was refused by a layer is in no way counted against the other side.
 * P3 A change of the configuration keeps what was learned; calls on their way end by the one they began with.
 */
export interface Policy<F = never> {
  readonly name: string;
  /** As it was given. */
  readonly config: PolicyConfig;
  /** With what follows the traffic. */
  readonly effective: PolicyConfig;
  readonly stats: PolicyStats;
  /** For operators and tests. */
  readonly breaker: Breaker | undefined;
  readonly bulkhead: Gate | undefined;
  /**
   * Runs the work under the policy.
   * @throws what the last attempt threw; RESILIENCE_… for what was refused or took too long; the signal's reason when the caller gave up
   */
  run<T>(work: Work<T>, init?: CallInit): Promise<T | F>;
  /** As `run`, but tells how it ended instead of throwing. */
  try<T>(work: Work<T>, init?: CallInit): Promise<Result<T | F>>;
  /** @throws RESILIENCE_BAD_OPTION; then nothing has changed */
  configure(config: PolicyConfig): void;
  /** Whether `configure` would take it. @throws RESILIENCE_BAD_OPTION */
  check(config: PolicyConfig): void;
  /** Milliseconds that attempts took lately, for a share of them: 0.5, 0.99. Undefined while too little is known. */
  latencyMs(quantile: number): number | undefined;
  /** The parts as they are now; changes nothing. */
  look(): PolicyLook;
  /** How far the process is beyond what it can bear, 0 to 1; for a policy that sheds. */
  setOverload(overload: number): void;
  /** Lets what `dynamic` names follow the traffic since the last time. */
  adapt(): void;
}

export interface PolicyLook {
  readonly breaker: BreakerView | undefined;
  readonly bulkhead: GateView | undefined;
  readonly shed: (ShedView & { readonly gate: GateView }) | undefined;
  /** The chance that a call is not sent. */
  readonly throttled: number | undefined;
  readonly retryBudget: number | undefined;
}

const NO_PARTS: PolicyParts = Object.freeze({});

/** @throws RESILIENCE_BAD_OPTION */
export function createPolicy<F = never>(init: PolicyInit<F>): Policy<F> {
  return new LayeredPolicy(init);
}

class LayeredPolicy<F> implements Policy<F> {
  readonly name: string;
  readonly stats = new PolicyStats();
  config: PolicyConfig;
  readonly #context: LayerContext;
  readonly #fallback: Fallback<F> | undefined;
  #layers: Layers;
  #coalescer: Coalescer | undefined;
  /** The configuration, with what follows the traffic. */
  #adapted: PolicyConfig;
  /** Calls until the last look at the traffic, and when that was. */
  #seenCalls = 0;
  #seenMs: number;

  constructor(init: PolicyInit<F>) {
    const { runtime, name } = init;
    const wheel = init.wheel ?? createTimerWheel(runtime);
    const { clock, random } = runtime;
    this.name = name;
    this.config = init.config;
    this.#context = {
      ...{ name, clock, random, wheel, stats: this.stats },
      listener: init.listener && guarded(init.listener),
      classify: init.classify ?? classifyError,
      classifyValue: init.classifyValue,
      makeBreaker: init.makeBreaker,
    };
    this.#fallback = init.fallback && createFallback(init.fallback, { policy: name, wheel, clock });
    this.#adapted = init.config;
    this.#seenMs = clock.monotonicMs();
    this.#layers = this.#build(init.config, NO_PARTS);
  }

  get effective(): PolicyConfig {
    return this.#adapted;
  }

  get breaker(): Breaker | undefined {
    return this.#layers.breaker;
  }

  get bulkhead(): Gate | undefined {
    return this.#layers.gate;
  }

  configure(config: PolicyConfig): void {
    this.#layers = this.#build(config);
    this.config = config;
    this.#adapted = config;
  }

  check(config: PolicyConfig): void {
    resolveConfig(config);
  }

  look(): PolicyLook {
    const { breaker, gate, shedder, throttle, retryBudget } = this.#layers;
    const nowMs = this.#context.clock.monotonicMs();
    return {
      breaker: breaker?.peek(nowMs),
      bulkhead: gate?.view(nowMs),
      shed: shedder && { ...shedder.view(), gate: shedder.gate.view(nowMs) },
      throttled: throttle?.probability(nowMs),
      retryBudget: retryBudget?.remaining(nowMs),
    };
  }

  setOverload(overload: number): void {
    this.#layers.shedder?.setOverload(overload);
  }

  adapt(): void {
    const nowMs = this.#context.clock.monotonicMs();
    const { calls } = this.stats;
    const callsPerSecond = ((calls - this.#seenCalls) * 1000) / Math.max(1, nowMs - this.#seenMs);
    this.#seenCalls = calls;
    this.#seenMs = nowMs;
    if (this.config.dynamic === undefined || this.config.mode === 'off') return;
    const next = adaptConfig(this.config, this.#adapted, { p99Ms: this.latencyMs(0.99), callsPerSecond });
    if (next === this.#adapted) return;
    this.#layers = this.#build(next);
    this.#adapted = next;
  }

  latencyMs(quantile: number): number | undefined {
    return this.#layers.latency?.quantile(quantile, this.#context.clock.monotonicMs());
  }

  run<T>(work: Work<T>, init: CallInit = NOTHING): Promise<T | F> {
    if (this.#fallback !== undefined || this.#coalescer !== undefined) return this.#runFully(work, init);
    return new Promise<T>((resolve, reject) => this.#start(work, init, resolve, reject));
  }

  async try<T>(work: Work<T>, init: CallInit = NOTHING): Promise<Result<T | F>> {
    const seen: { call?: Call<T>; outcome?: Outcome; isDegraded?: boolean } = {};
    try {
      const value = await this.#runFully(work, init, seen);
      return { ok: true, value, attempts: seen.call?.attempts ?? 0, degraded: seen.isDegraded ?? false };
    } catch (error) {
      const outcome = seen.outcome ?? 'failure';
      return { ok: false, error, outcome, attempts: seen.call?.attempts ?? 0, stoppedBy: seen.call?.stoppedBy };
    }
  }

  #start<T>(
    work: Work<T>,
    init: CallInit,
    onValue: (value: T, outcome: Outcome, call: Call<T>) => void,
    onError: (error: unknown, outcome: Outcome, call: Call<T>) => void,
  ): void {
    const nowMs = this.#context.clock.monotonicMs();
    new Call(this.#layers, work, init, nowMs, onValue, onError).start(nowMs);
  }

  async #runFully<T>(work: Work<T>, init: CallInit, seen: Seen<T> = {}): Promise<T | F> {
    const { clock, listener } = this.#context;
    const fallback = this.#fallback;
    try {
      const value = await this.#shared(work, init, seen);
      if (seen.outcome === 'success') fallback?.noteGood(value, init.key, clock.monotonicMs());
      return value;
    } catch (error) {
      const outcome = seen.outcome ?? 'failure';
      if (fallback === undefined || !fallback.appliesTo(outcome)) throw error;
      this.stats.fallbacks++;
      try {
        const value = await fallback.answer({ error, outcome }, init.key, clock.monotonicMs());
        listener?.onFallback?.({ policy: this.name, error, failed: false });
        seen.isDegraded = true;
        return value;
      } catch (failure) {
        this.stats.fallbacksFailed++;
        listener?.onFallback?.({ policy: this.name, error: failure, failed: true });
        throw error;
      }
    }
  }

  #shared<T>(work: Work<T>, init: CallInit, seen: Seen<T>): Promise<T> {
    const { key, signal } = init;
    const coalescer = this.#coalescer;
    const call = (own: CallInit): Promise<T> =>
      new Promise((resolve, reject) => {
        this.#start(
          work,
          own,
          (value, outcome, ended) => {
            seen.outcome = outcome;
            seen.call = ended;
            resolve(value);
          },
          (error, outcome, ended) => {
            seen.outcome = outcome;
            seen.call = ended;
            reject(error);
          },
        );
      });
    if (coalescer === undefined || key === undefined) return call(init);
    const shared = (inner: AbortSignal) => call({ ...init, signal: inner, deadlineMs: undefined });
    return coalescer.run(key, shared, signal, () => {
      seen.outcome = 'success';
      this.stats.coalesced++;
    });
  }

  #build(config: PolicyConfig, old: PolicyParts = this.#layers): Layers {
    const layers = buildLayers(config, old, this.#context);
    const { coalesce } = config;
    if (coalesce === undefined || config.mode === 'off') this.#coalescer = undefined;
    else if (this.#coalescer === undefined) this.#coalescer = new Coalescer(resolveCoalesce(coalesce), this.#context);
    else this.#coalescer.configure(resolveCoalesce(coalesce));
    return layers;
  }
}

interface Seen<T> {
  call?: Call<T>;
  outcome?: Outcome;
  isDegraded?: boolean;
}
