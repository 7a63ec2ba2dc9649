import { isSoukError, type Random } from '@souk/kernel';
import { type Override, Overrides } from './breaker-operator.ts';
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
 * I2 A change goes from the state that was told last to another one, and is told once.
 * I3 At most `halfOpenPermits` probes run in a round, however many call at once.
 * I4 A round ends: by its verdict, or by its deadline, and then well if probes have ended and all of them well. A permit that ends in time
 *    and without a verdict goes back.
 * I5 What was refused, cancelled, throttled or ignored is neither success nor failure.
 * I6 The end of OPEN is fixed when it opens, whatever operators do meanwhile, and the wait grows with every round that fails.
 * I7 Who asks changes nothing: peek, retryAfterMs and snapshot take no permit and make no transition, of whatever instant they are asked.
 * I8 Where it does not enforce, or is forced closed, nothing is refused.
 * I9 What operators want ends, and costs a call nothing until then.
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
  /** When the first override ends. */
  #overrideEndMs = Number.POSITIVE_INFINITY;
  /** The state that listeners know of. */
  #told: BreakerState = 'CLOSED';
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
    if (nowMs >= this.#overrideEndMs) this.#refreshOverride(nowMs, 'override is over');
    if (this.#forced === 'FORCED_OPEN') return undefined;
    if (this.#isEnforced()) {
      if (this.#state !== 'CLOSED') return this.#tryProbe(nowMs);
      if ((nowMs < this.#rampUntilMs || nowMs < this.#advisedUntilMs) && !this.#isLetIn(nowMs)) return undefined;
    }
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

  get isGuarding(): boolean {
    return this.#forced === 'FORCED_OPEN' || (this.#state !== 'CLOSED' && this.#isEnforced());
  }

  retryAfterMs(givenMs: number): number {
    const nowMs = Math.max(givenMs, this.#latestMs);
    const state = this.#stateAt(nowMs);
    if (state === 'FORCED_OPEN') return this.#overrides?.openForMs(nowMs) ?? 0;
    if (state === 'HALF_OPEN') return this.#round?.waitMs(nowMs) ?? 0;
    return state === 'OPEN' && this.#state === 'OPEN' ? Math.max(0, this.#openUntilMs - nowMs) : 0;
  }

  peek(givenMs: number): BreakerView {
    const nowMs = Math.max(givenMs, this.#latestMs);
    const totals = this.#window.at(nowMs);
    const state = this.#stateAt(nowMs);
    const openForMs = this.retryAfterMs(nowMs);
    return {
      state,
      eligible: state === 'OPEN' && openForMs === 0,
      generation: this.#generation,
      calls: totals.total,
      failureRate: this.#rate(totals.failures, totals.total),
      slowRate: this.#rate(totals.slow, totals.total),
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

  isolate(by: Override, givenMs: number): void {
    this.#hold('open', by, givenMs);
  }

  forceClosed(by: Override, givenMs: number): void {
    this.#hold('closed', by, givenMs);
  }

  release(owner: string, givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides?.release(owner);
    this.#refreshOverride(nowMs, `released by ${owner}`);
  }

  reset(givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides = undefined;
    this.#overrideEndMs = Number.POSITIVE_INFINITY;
    this.#forced = undefined;
    this.#attempt = 0;
    this.#rampUntilMs = Number.NEGATIVE_INFINITY;
    this.#enter('CLOSED', 'reset', nowMs);
  }

  setMode(mode: BreakerMode, givenMs: number): void {
    if (mode === this.#mode) return;
    const nowMs = this.#at(givenMs);
    this.#mode = mode;
    this.#enter('CLOSED', `mode ${mode}`, nowMs);
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
    this.#generation = Math.max(this.#generation, snapshot.generation);
    this.#attempt = snapshot.attempt;
    for (const { owner, reason, wants, leftMs } of snapshot.overrides) {
      this.#overrides ??= new Overrides();
      this.#overrides.hold(wants, { owner, reason, ttlMs: leftMs }, nowMs);
    }
    this.#forced = this.#pruneOverrides(nowMs);
    // Probes of another process are not ours: where it was half open, a round of our own begins with the next call.
    this.#openUntilMs = nowMs + Math.min(snapshot.openForMs, this.#settings.openMaxMs);
    this.#enter(snapshot.state === 'CLOSED' ? 'CLOSED' : 'OPEN', 'restored', nowMs);
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

  /** What the next call will find, before any probe that is due. */
  #stateAt(nowMs: number): BreakerState {
    const forced = this.#overrides?.wanted(nowMs);
    if (forced !== undefined || this.#forced === undefined) return this.#seen(forced, this.#state);
    return this.#seen(undefined, this.#forced === 'FORCED_OPEN' ? 'OPEN' : 'CLOSED');
  }

  #seen(forced: 'FORCED_OPEN' | 'FORCED_CLOSED' | undefined, own: 'CLOSED' | 'OPEN' | 'HALF_OPEN'): BreakerState {
    if (forced !== undefined) return forced;
    if (this.#mode === 'metrics_only') return 'METRICS_ONLY';
    return this.#mode === 'disabled' ? 'DISABLED' : own;
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
      this.#enter('HALF_OPEN', 'time to probe', nowMs);
    }
    const round = this.#round as ProbeRound;
    const late = round.expire(nowMs);
    if (late !== undefined) this.#decide(late, nowMs, undefined);
    else if (round.isOver(nowMs)) {
      if (round.wentWell) this.#close('all probes went well', nowMs);
      else if (this.#settings.onHalfOpenTimeout === 'closed') this.#close('the round of probes took too long', nowMs);
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
    // Probes that are too late have failed, this one too if it is one of them, whether or not a call came by that noticed it.
    const late = round.expire(nowMs);
    if (late !== undefined || (permit instanceof Permit && permit.expired)) {
      this.#late++;
      if (late !== undefined) this.#decide(late, nowMs, error);
      return;
    }
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
    // Divided, not multiplied: 7 of 100 are 0.07, while 0.07 * 100 is more than 7.
    if (failures > 0 && failures / total >= failureRate) return 'failure rate';
    return slow > 0 && slow / total >= slowRate ? 'slow calls' : undefined;
  }

  #trip(reason: string, nowMs: number, error: unknown): void {
    if (this.#isEnforced()) {
      this.#open(reason, nowMs, error);
      return;
    }
    // Nothing is refused; it is told, and the next sample begins.
    const rates = this.#rates(nowMs);
    this.#wouldOpen++;
    this.#lastCause = error;
    this.#window.clear();
    this.#row = 0;
    this.#tell(this.#told, 'OPEN', `${reason} (not enforced)`, rates, nowMs);
  }

  #open(reason: string, nowMs: number, error: unknown): void {
    const { openMs, openFactor, openMaxMs, openJitter, window } = this.#settings;
    // One that was closed for a whole window has recovered; one that was not is the same trouble going on.
    const windowMs = 'count' in window ? openMaxMs : window.buckets * window.bucketMs;
    if (this.#state === 'CLOSED' && nowMs - this.#sinceMs >= windowMs) this.#attempt = 0;
    const jitter = 1 + openJitter * (2 * this.#deps.random.next() - 1);
    // The largest number, not Infinity: nothing times that is still nothing.
    const waitMs = jitter * Math.min(openMaxMs, openMs * Math.min(openFactor ** this.#attempt, Number.MAX_VALUE));
    const askedMs = isSoukError(error) && error.retry.kind === 'later' ? (error.retry.afterMs ?? 0) : 0;
    this.#openUntilMs = nowMs + Math.min(openMaxMs, askedMs > waitMs ? askedMs : waitMs);
    this.#attempt++;
    if (error !== undefined) this.#lastCause = error;
    this.#enter('OPEN', reason, nowMs);
  }

  #close(reason: string, nowMs: number): void {
    const { rampMs, openJitter } = this.#settings;
    this.#rampFromMs = nowMs;
    this.#rampUntilMs = nowMs + rampMs * (1 + openJitter * (2 * this.#deps.random.next() - 1));
    this.#enter('CLOSED', reason, nowMs);
  }

  #hold(wants: 'open' | 'closed', by: Override, givenMs: number): void {
    const nowMs = this.#at(givenMs);
    this.#overrides ??= new Overrides();
    this.#overrides.hold(wants, by, nowMs);
    this.#refreshOverride(nowMs, by.reason);
  }

  #pruneOverrides(nowMs: number): 'FORCED_OPEN' | 'FORCED_CLOSED' | undefined {
    this.#overrideEndMs = this.#overrides?.prune(nowMs) ?? Number.POSITIVE_INFINITY;
    if (this.#overrideEndMs === Number.POSITIVE_INFINITY) this.#overrides = undefined;
    return this.#overrides?.wanted(nowMs);
  }

  #refreshOverride(nowMs: number, reason: string): void {
    const before = this.#forced;
    this.#forced = this.#pruneOverrides(nowMs);
    if (this.#forced === before) return;
    if (this.#forced !== undefined) this.#begin(reason, nowMs);
    else if (before === 'FORCED_CLOSED') this.#enter('CLOSED', reason, nowMs);
    else {
      // Nobody knows how the target is now: the next calls find out, unless it was already open and has to wait.
      if (this.#state !== 'OPEN') this.#openUntilMs = nowMs;
      this.#enter('OPEN', reason, nowMs);
    }
  }

  #enter(to: 'CLOSED' | 'OPEN' | 'HALF_OPEN', reason: string, nowMs: number): void {
    this.#state = to;
    this.#round = to === 'HALF_OPEN' ? new ProbeRound(this.#settings, nowMs) : undefined;
    this.#begin(reason, nowMs);
  }

  /** Begins a generation, and tells of it where it is seen from outside. */
  #begin(reason: string, nowMs: number): void {
    const rates = this.#rates(nowMs);
    this.#generation++;
    this.#window.clear();
    this.#row = 0;
    this.#inFlight = 0;
    this.#sinceMs = nowMs;
    const from = this.#told;
    this.#told = this.#seen(this.#forced, this.#state);
    if (from !== this.#told) this.#tell(from, this.#told, reason, rates, nowMs);
  }

  #tell(from: BreakerState, to: BreakerState, reason: string, rates: Rates, nowMs: number): void {
    this.#deps.onTransition?.({ from, to, reason, generation: this.#generation, ...rates, nowMs });
  }

  #rates(nowMs: number): Rates {
    const { total, failures, slow } = this.#window.at(nowMs);
    return { failureRate: this.#rate(failures, total), slowRate: this.#rate(slow, total) };
  }

  #rate(count: number, total: number): number | undefined {
    return total < this.#settings.minCalls ? undefined : count / total;
  }
}

type Rates = Pick<BreakerTransition, 'failureRate' | 'slowRate'>;
