import type { Random } from '@souk/kernel';
import { atLeast, ratio } from './check-option.ts';

/*
 * The client's half of overload: the more of its calls are refused, the fewer it sends. "Handling Overload", Site Reliability Engineering,
 * O'Reilly 2016: a call is dropped with probability max(0, (requests - K * accepts) / (requests + 1)).
 *
 * T1 While no more than one of K calls is refused nothing is dropped.
 * T2 What is dropped here counts as a request, so that a target that refuses is asked less and less; never less than `1 - maxShare`, for
 *    somebody has to find out that it is well again.
 * T3 What another layer of ours stopped, or let through to probe, counts nothing: the target was not asked, or not for its own sake. Otherwise a breaker that was open for a while would
 *    leave a throttle that refuses everything, and no call would ever show that the target is back.
 * T4 Time that goes back is no time: nothing that was counted lives longer for it.
 */

export interface ThrottleOptions {
  /** K. 2: about as many calls as are accepted are still sent in vain. Lower: less is sent in vain, and recovery is seen later. @default 2 */
  readonly k?: number;
  /**
   * Milliseconds that are remembered. A target that refused everything and accepts everything again gets all calls after nearly two
   * windows. Lower: it is believed sooner. Higher: with few calls a second there is more to judge by. @default 30000
   */
  readonly windowMs?: number;
  /** Calls in the window below which nothing is dropped. @default 20 */
  readonly minCalls?: number;
  /** Largest share of the calls that is dropped. Lower: recovery is seen sooner, and more is sent in vain. @default 0.9 */
  readonly maxShare?: number;
}

export interface ThrottleSettings {
  readonly k: number;
  readonly windowMs: number;
  readonly minCalls: number;
  readonly maxShare: number;
}

export interface Throttle {
  /** Whether a call is dropped. One that is not, and was sent, is counted by `onAnswer`. */
  shouldReject(nowMs: number): boolean;
  /** Counts a call that was sent. @param accepted False when the other side refused; a failure of work that it took is no refusal. */
  onAnswer(accepted: boolean, nowMs: number): void;
  /** The chance that a call is dropped. */
  probability(nowMs: number): number;
  configure(settings: ThrottleSettings, nowMs: number): void;
}

const BUCKETS = 12;

/** @throws RESILIENCE_BAD_OPTION */
export const resolveThrottle = (options: ThrottleOptions = {}): ThrottleSettings =>
  Object.freeze({
    k: atLeast('throttle.k', options.k ?? 2, 1),
    windowMs: atLeast('throttle.windowMs', options.windowMs ?? 30_000, BUCKETS),
    minCalls: atLeast('throttle.minCalls', options.minCalls ?? 20, 0),
    maxShare: ratio('throttle.maxShare', options.maxShare ?? 0.9),
  });

/** @param settings By `resolveThrottle`. */
export const createThrottle = (settings: ThrottleSettings, random: Random): Throttle =>
  new AdaptiveThrottle(settings, random);

class AdaptiveThrottle implements Throttle {
  #settings: ThrottleSettings;
  readonly #random: Random;
  readonly #requests = new Uint32Array(BUCKETS);
  readonly #accepts = new Uint32Array(BUCKETS);
  #requestsTotal = 0;
  #acceptsTotal = 0;
  #tick = Number.NEGATIVE_INFINITY;
  #at = 0;

  constructor(settings: ThrottleSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  shouldReject(nowMs: number): boolean {
    const chance = this.probability(nowMs);
    if (chance === 0 || this.#random.next() >= chance) return false;
    this.#count(0);
    return true;
  }

  onAnswer(accepted: boolean, nowMs: number): void {
    this.#advance(nowMs);
    this.#count(accepted ? 1 : 0);
  }

  probability(nowMs: number): number {
    this.#advance(nowMs);
    const { k, minCalls, maxShare } = this.#settings;
    const requests = this.#requestsTotal;
    if (requests < minCalls) return 0;
    return Math.min(maxShare, Math.max(0, (requests - k * this.#acceptsTotal) / (requests + 1)));
  }

  configure(settings: ThrottleSettings, nowMs: number): void {
    this.#advance(nowMs);
    // Ticks of another length cannot be compared; what was counted stays.
    if (settings.windowMs !== this.#settings.windowMs) this.#tick = tickOf(nowMs, settings);
    this.#settings = settings;
  }

  #count(accepts: number): void {
    this.#requests[this.#at] = (this.#requests[this.#at] as number) + 1;
    this.#accepts[this.#at] = (this.#accepts[this.#at] as number) + accepts;
    this.#requestsTotal++;
    this.#acceptsTotal += accepts;
  }

  #advance(nowMs: number): void {
    const tick = tickOf(nowMs, this.#settings);
    if (tick === this.#tick) return;
    const steps = Math.min(BUCKETS, tick - this.#tick);
    this.#tick = tick;
    for (let step = 0; step < steps; step++) {
      this.#at = (this.#at + 1) % BUCKETS;
      this.#requestsTotal -= this.#requests[this.#at] as number;
      this.#acceptsTotal -= this.#accepts[this.#at] as number;
      this.#requests[this.#at] = 0;
      this.#accepts[this.#at] = 0;
    }
  }
}

const tickOf = (nowMs: number, { windowMs }: ThrottleSettings): number => Math.floor(nowMs / (windowMs / BUCKETS));
