import type { AdaptiveLimitSettings } from './adaptive-limit-options.ts';
import { createLimitRule, type LimitRule } from './limit-rule.ts';
import type { Outcome } from './outcome.ts';

/*
 * How many calls at once a server does best with, found out while it runs.
 *
 * L1 The limit stays between min and max, and is never more than five times the most that were there at once.
 * L2 It does not grow while no more than half of it is used: what was not tried proves nothing.
 * L3 Only calls that succeeded say how long calls take; a failure that is fast must not look like a fast server.
 * L4 More than a few drops lower the limit, whatever the latencies say.
 * L5 The baseline is the lowest of the last windows, so that it follows up and down.
 */

export interface AdaptiveLimit {
  readonly limit: number;
  onStart(inFlight: number, nowMs: number): void;
  /** @param latencyMs Since it left our own queue. @returns whether the limit has changed */
  onEnd(outcome: Outcome, latencyMs: number, inFlight: number, nowMs: number): boolean;
  configure(settings: AdaptiveLimitSettings, nowMs: number): void;
  view(): { readonly limit: number; readonly latencyMs: number | undefined; readonly baselineMs: number | undefined };
}

/** @param settings By `resolveAdaptiveLimit`. */
export const createAdaptiveLimit = (settings: AdaptiveLimitSettings): AdaptiveLimit => new SampledLimit(settings);

const PEAK_FACTOR = 5;
/** Latencies of one window; more are thinned out, so that the memory is fixed. */
const SAMPLE = 256;
/** What is faster than the clock can tell still took some time: rules divide by it. */
const LEAST_MS = 0.001;

class SampledLimit implements AdaptiveLimit {
  #settings: AdaptiveLimitSettings;
  #limit: number;
  #rule: LimitRule;
  #latencies: Float64Array | undefined;
  #successes = 0;
  #drops = 0;
  #ended = 0;
  #peak = 0;
  #startedMs = Number.NEGATIVE_INFINITY;
  #latencyMs: number | undefined;

  constructor(settings: AdaptiveLimitSettings) {
    this.#settings = settings;
    this.#limit = settings.initial;
    this.#rule = createLimitRule(settings.algorithm, settings.timeoutMs);
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  onStart(inFlight: number, nowMs: number): void {
    if (inFlight > this.#peak) this.#peak = inFlight;
    // Nothing was measured yet, or the clock went back: the window begins now.
    if (this.#startedMs === Number.NEGATIVE_INFINITY || nowMs < this.#startedMs) this.#startedMs = nowMs;
  }

  onEnd(outcome: Outcome, latencyMs: number, inFlight: number, nowMs: number): boolean {
    this.onStart(inFlight, nowMs);
    if (outcome === 'cancelled' || outcome === 'rejected') return false;
    this.#ended++;
    if (outcome === 'failure' || outcome === 'throttled') this.#drops++;
    else this.#add(Math.max(LEAST_MS, latencyMs));
    const { windowMs, minSamples } = this.#settings;
    if (nowMs - this.#startedMs < windowMs) return false;
    // With few calls a window grows until it says something.
    if (this.#ended < minSamples && nowMs - this.#startedMs < windowMs * 30) return false;
    return this.#close(nowMs);
  }

  configure(settings: AdaptiveLimitSettings): void {
    const { algorithm, timeoutMs } = this.#settings;
    if (settings.algorithm !== algorithm || settings.timeoutMs !== timeoutMs)
      this.#rule = createLimitRule(settings.algorithm, settings.timeoutMs);
    this.#settings = settings;
    this.#limit = Math.min(settings.max, Math.max(settings.min, this.#limit));
  }

  view(): { limit: number; latencyMs: number | undefined; baselineMs: number | undefined } {
    return { limit: this.limit, latencyMs: this.#latencyMs, baselineMs: this.#rule.baselineMs };
  }

  #add(latencyMs: number): void {
    this.#latencies ??= new Float64Array(SAMPLE);
    // The n-th success takes the place of one of the last 256: near enough to all of them for a percentile.
    this.#latencies[this.#successes % SAMPLE] = latencyMs;
    this.#successes++;
  }

  #close(nowMs: number): boolean {
    const { min, max, smoothing } = this.#settings;
    const before = this.limit;
    const latencyMs = this.#p90();
    const spanMs = Math.max(1, nowMs - this.#startedMs);
    const wanted = this.#rule.next({
      limit: this.#limit,
      latencyMs,
      dropped: this.#drops > this.#ended * this.#settings.tolerance,
      peak: this.#peak,
      throughput: (this.#ended - this.#drops) / spanMs,
    });
    const isUsed = this.#peak > this.#limit / 2;
    // Down at once and in full, up bit by bit: too much does harm at once, too little costs a little.
    const next =
      wanted < this.#limit
        ? wanted
        : isUsed
          ? this.#limit + (wanted - this.#limit) * Math.max(smoothing, 0)
          : this.#limit;
    this.#limit = Math.min(max, Math.max(min, Math.min(next, Math.max(min, this.#peak * PEAK_FACTOR))));
    this.#latencyMs = latencyMs;
    this.#successes = this.#drops = this.#ended = this.#peak = 0;
    this.#startedMs = nowMs;
    return this.limit !== before;
  }

  #p90(): number | undefined {
    const count = Math.min(SAMPLE, this.#successes);
    if (count === 0 || this.#latencies === undefined) return undefined;
    const sorted = this.#latencies.slice(0, count).sort();
    return sorted[Math.min(count - 1, Math.floor(count * 0.9))];
  }
}
