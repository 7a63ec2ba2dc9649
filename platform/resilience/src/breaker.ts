import { isSoukError, type Random } from '@souk/kernel';
import { Overrides } from './breaker-operator.ts';
import type { BreakerSettings } from './breaker-options.ts';
import type {
  Breaker,
  BreakerMode,
  BreakerPermit,
  BreakerSnapshot,
  BreakerState,
  BreakerTransition,
  BreakerView,
} from './breaker-types.ts';
import type { Outcome } from './outcome.ts';
import { createOutcomeWindow, type OutcomeWindow, sameShape } from './outcome-window.ts';
import { type ProbePermit, ProbeRound } from './probe-round.ts';

/*
 * CLOSED --trip()--> OPEN --tryAcquire() once its time is over--> HALF_OPEN --verdict--> CLOSED or OPEN
 * any --isolate(), forceClosed()--> FORCED_… --release(), time over--> OPEN that may be probed at once
 *
 * I1 Every change of state begins a generation; what began in another one changes nothing when it ends.
 * I2 A change goes from one state to another, never to the same, and is told once.
 * I3 At most `halfOpenPermits` probes run in a round, however many call at once.
 * I4 A round ends: by its verdict, or by its deadline. A permit that ends without a verdict goes back.
 * I5 What was refused, cancelled, throttled or ignored is neither success nor failure.
 * I6 The end of OPEN is fixed when it opens, and the wait grows with every round that fails.
 * I7 Who asks changes nothing: peek, retryAfterMs and snapshot take no permit and make no transition.
 */

export interface BreakerDeps {
  readonly random: Random;
  readonly onTransition?: (change: BreakerTransition) => void;
}

/** @param settings By `resolveBreaker`. */
export function createBreaker(settings: BreakerSettings, deps: BreakerDeps): Breaker {
  return new CircuitBreaker(settings, deps);
}

class Permit implements ProbePermit {
  readonly generation: number;
  readonly probe: boolean;
  readonly startedMs: number;
  released = false;
  expired = false;

  constructor(generation: number, probe: boolean, startedMs: number) {
    this.generation = generation;
    this.probe = probe;
    this.startedMs = startedMs;
  }
}

/** What the share begins with when calls are let in again, and what advice leaves of it. */
const CAREFUL_SHARE = 0.1;
/** Own successes that outweigh the advice of others. */
const ENOUGH_SUCCESSES = 5;

class CircuitBreaker implements Breaker {
  #settings: BreakerSettings;
  readonly #deps: BreakerDeps;
  #state: 'CLOSED' | 'OPEN' | 'HALF_OPEN' = 'CLOSED';
  #mode: BreakerMode = 'enforce';
  #overrides: Overrides | undefined;
  #forced: 'FORCED_OPEN' | 'FORCED_CLOSED' | undefined;
  #generation = 0;
  #window: OutcomeWindow;
  #row = 0;
  #round: ProbeRound | undefined;
  #openUntilMs = 0;
  /** Times in a row that it opened without having been closed for long. */
  #attempt = 0;
  #rampFromMs = Number.NEGATIVE_INFINITY;
  #rampUntilMs = Number.NEGATIVE_INFINITY;
  #advisedUntilMs = Number.NEGATIVE_INFINITY;
  #successes = 0;
  #inFlight = 0;
  #sinceMs = 0;
  #latestMs = Number.NEGATIVE_INFINITY;
  #lastCause: unknown;
  #late = 0;
  #doubleReleases = 0;
  #wouldOpen = 0;

  constructor(settings: BreakerSettings, deps: BreakerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#window = createOutcomeWindow(settings.window);
  }

  tryAcquire(givenMs: number): BreakerPermit | undefined {
    const nowMs = this.#at(givenMs);
    if (this.#overrides !== undefined) this.#refreshOverride(nowMs);
    if (this.#forced === 'FORCED_OPEN') return undefined;
    if (this.#state !== 'CLOSED' && this.#isEnforced()) return this.#tryProbe(nowMs);
    if ((nowMs < this.#rampUntilMs || nowMs < this.#advisedUntilMs) && !this.#isLetIn(nowMs)) return undefined;
    this.#inFlight++;
    return new Permit(this.#generation, false, nowMs);
  }

  settle(permit: BreakerPermit, outcome: Outcome, givenMs: number, error?: unknown): void {
    if (permit.released) {
      if (permit instanceof Permit && permit.expired) this.#late++;
      else this.#doubleReleases++;
      return;
    }
    permit.released = true;
    if (permit.generation !== this.#generation) {
      this.#late++;
      return;
    }
    const nowMs = this.#at(givenMs);
    if (permit.probe) {
      this.#judge(permit, outcome, nowMs, error);
      return;
    }
    this.#inFlight--;
    const failed = outcome === 'failure';
    if ((!failed && outcome !== 'success') || this.#mode === 'disabled') return;
    this.#window.add(failed, nowMs - permit.startedMs >= this.#settings.slowMs, nowMs);
    this.#row = failed ? this.#row + 1 : 0;
    if (!failed && nowMs < this.#advisedUntilMs && ++this.#successes >= ENOUGH_SUCCESSES)
      this.#advisedUntilMs = Number.NEGATIVE_INFINITY;
    const why = this.#reasonToOpen(nowMs);
    if (why !== undefined) this.#trip(why, nowMs, error);
  }

  retryAfterMs(givenMs: number): number {
    const nowMs = Math.max(givenMs, this.#latestMs);
    if (this.#overrides?.wanted(nowMs) === 'FORCED_OPEN') return this.#overrides.openForMs(nowMs);
    if (!this.#isEnforced() || this.#state === 'CLOSED') return 0;
    if (this.#state === 'OPEN') return Math.max(0, this.#openUntilMs - nowMs);
    return this.#round?.waitMs(nowMs) ?? 0;
  }

  peek(givenMs: number): BreakerView {
    const nowMs = Math.max(givenMs, this.#latestMs);
    this.#window.advance(nowMs);
    const state = this.#stateAt(nowMs);
    const openForMs = this.retryAfterMs(nowMs);
    return {
      state,
      eligible: state === 'OPEN' && openForMs === 0,
      generation: this.#generation,
      calls: this.#window.total,
      failureRate: this.#rate(this.#window.failures),
      slowRate: this.#rate(this.#window.slow),
      openForMs,
      sinceMs: this.#sinceMs,
      lastCause: this.#lastCause,
      overrides: this.#overrides?.view(nowMs) ?? [],
      advised: nowMs < this.#advisedUntilMs,
      late: this.#late,
      doubleReleases: this.#doubleReleases,
      wouldOpen: this.#wouldOpen,
    };
  }

  isolate(by: Parameters<Breaker['isolate']>[0], givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides ??= new Overrides();
    this.#overrides.open(by, nowMs);
    this.#refreshOverride(nowMs, by.reason);
  }

  forceClosed(by: Parameters<Breaker['forceClosed']>[0], givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides ??= new Overrides();
    this.#overrides.close(by, nowMs);
    this.#refreshOverride(nowMs, by.reason);
  }

  release(owner: string, givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides?.release(owner);
    this.#refreshOverride(nowMs, `released by ${owner}`);
  }

  reset(givenMs: number): void {
    const nowMs = this.#at(givenMs);
    const from = this.#stateAt(nowMs);
    this.#overrides = undefined;
    this.#forced = undefined;
    this.#attempt = 0;
    this.#rampUntilMs = Number.NEGATIVE_INFINITY;
    this.#enter('CLOSED', from, 'reset', nowMs);
  }

  setMode(mode: BreakerMode, givenMs: number): void {
    if (mode === this.#mode) return;
    const nowMs = this.#at(givenMs);
    const from = this.#stateAt(nowMs);
    this.#mode = mode;
    this.#enter('CLOSED', from, `mode ${mode}`, nowMs);
  }

  advise(untilMs: number, givenMs: number): void {
    if (this.#at(givenMs) >= this.#advisedUntilMs) this.#successes = 0;
    this.#advisedUntilMs = Math.max(this.#advisedUntilMs, untilMs);
  }

  snapshot(givenMs: number): BreakerSnapshot {
    const nowMs = Math.max(givenMs, this.#latestMs);
    return {
      state: this.#state,
      openForMs: this.#state === 'OPEN' ? Math.max(0, this.#openUntilMs - nowMs) : 0,
      attempt: this.#attempt,
      generation: this.#generation,
      overrides: this.#overrides?.view(nowMs) ?? [],
    };
  }

  restore(snapshot: BreakerSnapshot, givenMs: number): void {
    const nowMs = this.#at(givenMs);
    const from = this.#stateAt(nowMs);
    this.#generation = Math.max(this.#generation, snapshot.generation);
    this.#attempt = snapshot.attempt;
    for (const { owner, reason, leftMs } of snapshot.overrides) {
      this.#overrides ??= new Overrides();
      this.#overrides.open({ owner, reason, ttlMs: leftMs }, nowMs);
    }
    // Probes of another process are not ours: where it was half open, a round of our own begins with the next call.
    this.#openUntilMs = nowMs + snapshot.openForMs;
    this.#enter(snapshot.state === 'CLOSED' ? 'CLOSED' : 'OPEN', from, 'restored', nowMs);
    this.#refreshOverride(nowMs);
  }

  configure(settings: BreakerSettings, givenMs: number): void {
    this.#at(givenMs);
    if (!sameShape(settings.window, this.#settings.window)) this.#window = createOutcomeWindow(settings.window);
    this.#settings = settings;
  }

  #at(nowMs: number): number {
    if (nowMs > this.#latestMs) this.#latestMs = nowMs;
    return this.#latestMs;
  }

  #isEnforced(): boolean {
    return this.#mode === 'enforce' && this.#forced === undefined;
  }

  #stateAt(nowMs: number): BreakerState {
    const forced = this.#overrides?.wanted(nowMs);
    if (forced !== undefined) return forced;
    if (this.#mode === 'metrics_only') return 'METRICS_ONLY';
    return this.#mode === 'disabled' ? 'DISABLED' : this.#state;
  }

  /** Who is alone gets in: it is the crowd that must come back little by little. */
  #isLetIn(nowMs: number): boolean {
    if (this.#inFlight < this.#settings.halfOpenPermits) return true;
    if (nowMs < this.#advisedUntilMs) return this.#deps.random.next() < CAREFUL_SHARE;
    const passed = (nowMs - this.#rampFromMs) / (this.#rampUntilMs - this.#rampFromMs);
    return this.#deps.random.next() < CAREFUL_SHARE + (1 - CAREFUL_SHARE) * passed;
  }

  #tryProbe(nowMs: number): BreakerPermit | undefined {
    if (this.#state === 'OPEN') {
      if (nowMs < this.#openUntilMs) return undefined;
      this.#enter('HALF_OPEN', 'OPEN', 'time to probe', nowMs);
    }
    const round = this.#round as ProbeRound;
    const late = round.expire(nowMs);
    if (late !== undefined) this.#decide(late, nowMs, undefined);
    else if (round.isOver(nowMs)) {
      if (this.#settings.onHalfOpenTimeout === 'closed') this.#close('the round of probes took too long', nowMs);
      else this.#open('the round of probes took too long', nowMs, undefined);
    }
    if (this.#state !== 'HALF_OPEN') return this.#state === 'CLOSED' ? this.tryAcquire(nowMs) : undefined;
    if (!round.take()) return undefined;
    const permit = new Permit(this.#generation, true, nowMs);
    round.add(permit);
    return permit;
  }

  #judge(permit: BreakerPermit, outcome: Outcome, nowMs: number, error: unknown): void {
    const round = this.#round;
    if (round === undefined) return;
    if (outcome !== 'success' && outcome !== 'failure') {
      round.giveBack(permit);
      return;
    }
    const verdict = round.judge(permit, outcome === 'failure', nowMs - permit.startedMs >= this.#settings.slowMs);
    if (verdict !== undefined) this.#decide(verdict, nowMs, error);
  }

  #decide(verdict: 'open' | 'closed', nowMs: number, error: unknown): void {
    if (verdict === 'open') this.#open('probes failed', nowMs, error);
    else this.#close('probes succeeded', nowMs);
  }

  #reasonToOpen(nowMs: number): string | undefined {
    const { minCalls, failureRate, slowRate, consecutive } = this.#settings;
    if (this.#row >= consecutive) return 'failures in a row';
    const { total, failures, slow } = this.#window;
    const enough = nowMs < this.#advisedUntilMs ? Math.ceil(minCalls / 4) : minCalls;
    if (total < enough) return undefined;
    if (failures >= failureRate * total && failures > 0) return 'failure rate';
    return slow >= slowRate * total && slow > 0 ? 'slow calls' : undefined;
  }

  #trip(reason: string, nowMs: number, error: unknown): void {
    if (this.#isEnforced()) {
      this.#open(reason, nowMs, error);
      return;
    }
    // Nothing is refused; it is told, and the next sample begins.
    const change = this.#change(this.#stateAt(nowMs), 'OPEN', `${reason} (not enforced)`, nowMs);
    this.#wouldOpen++;
    this.#lastCause = error;
    this.#window.clear();
    this.#row = 0;
    this.#deps.onTransition?.(change);
  }

  #open(reason: string, nowMs: number, error: unknown): void {
    const { openMs, openFactor, openMaxMs, openJitter, window } = this.#settings;
    // One that was closed for a whole window has recovered; one that was not is the same trouble going on.
    const windowMs = 'count' in window ? openMaxMs : window.buckets * window.bucketMs;
    if (this.#state === 'CLOSED' && nowMs - this.#sinceMs >= windowMs) this.#attempt = 0;
    const waitMs = Math.min(openMaxMs, openMs * openFactor ** this.#attempt);
    const jitter = 1 + openJitter * (2 * this.#deps.random.next() - 1);
    const asked = isSoukError(error) && error.retry.kind === 'later' ? (error.retry.afterMs ?? 0) : 0;
    this.#openUntilMs = nowMs + Math.min(openMaxMs, Math.max(waitMs * jitter, asked));
    this.#attempt++;
    if (error !== undefined) this.#lastCause = error;
    this.#enter('OPEN', this.#state, reason, nowMs);
  }

  #close(reason: string, nowMs: number): void {
    const { rampMs, openJitter } = this.#settings;
    this.#rampFromMs = nowMs;
    this.#rampUntilMs = nowMs + rampMs * (1 + openJitter * (2 * this.#deps.random.next() - 1));
    this.#enter('CLOSED', this.#state, reason, nowMs);
  }

  #refreshOverride(nowMs: number, reason = 'override is over'): void {
    const wanted = this.#overrides?.wanted(nowMs);
    if (wanted === this.#forced) return;
    const from = this.#forced ?? this.#stateAt(nowMs);
    this.#forced = wanted;
    if (wanted !== undefined) {
      this.#begin(nowMs);
      this.#deps.onTransition?.(this.#change(from, wanted, reason, nowMs));
      return;
    }
    // Nobody knows how the target is now: the next calls find out.
    if (from === 'FORCED_OPEN') this.#openUntilMs = nowMs;
    this.#enter(from === 'FORCED_OPEN' ? 'OPEN' : 'CLOSED', from, reason, nowMs);
  }

  #enter(to: 'CLOSED' | 'OPEN' | 'HALF_OPEN', from: BreakerState, reason: string, nowMs: number): void {
    const change = this.#change(from, to, reason, nowMs);
    this.#state = to;
    this.#begin(nowMs);
    this.#round = to === 'HALF_OPEN' ? new ProbeRound(this.#settings, nowMs) : undefined;
    if (from !== to) this.#deps.onTransition?.({ ...change, to: this.#stateAt(nowMs) });
  }

  #begin(nowMs: number): void {
    this.#generation++;
    this.#window.clear();
    this.#row = 0;
    this.#inFlight = 0;
    this.#sinceMs = nowMs;
  }

  #change(from: BreakerState, to: BreakerState, reason: string, nowMs: number): BreakerTransition {
    const { failures, slow } = this.#window;
    const generation = this.#generation + 1;
    return { from, to, reason, generation, failureRate: this.#rate(failures), slowRate: this.#rate(slow), nowMs };
  }

  #rate(count: number): number | undefined {
    const { total } = this.#window;
    return total < this.#settings.minCalls ? undefined : count / total;
  }
}
