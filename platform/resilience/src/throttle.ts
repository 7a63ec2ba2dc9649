import type { Random } from '@souk/kernel';
import { atLeast } from './check-option.ts';

/*
 * The client's half of overload: the more of its calls are refused, the fewer it sends. "Handling Overload", Site Reliability Engineering,
 * O'Reilly 2016: a call is dropped with probability max(0, (requests - K * accepts) / (requests + 1)).
 *
 * T1 While everything is accepted nothing is dropped.
 * T2 Requests count when they are sent, those that are dropped here too, so that a target that is down is asked less and less, and never not at all.
 */

export interface ThrottleOptions {
  /** K. 2: about as many calls as are accepted are still sent in vain. Lower: less is sent in vain, and recovery is seen later. @default 2 */
  readonly k?: number;
  /** Milliseconds that are remembered. @default 120000 */
  readonly windowMs?: number;
  /** Calls in the window below which nothing is dropped. @default 20 */
  readonly minCalls?: number;
}

export interface ThrottleSettings {
  readonly k: number;
  readonly windowMs: number;
  readonly minCalls: number;
}

export interface Throttle {
  /** Counts a call, and says whether it is dropped. */
  shouldReject(nowMs: number): boolean;
  /** @param accepted False when the other side refused; a failure of work that it took is no refusal. */
  onAnswer(accepted: boolean, nowMs: number): void;
  /** The chance that a call is dropped. */
  probability(nowMs: number): number;
  configure(settings: ThrottleSettings, nowMs: number): void;
}

/** @throws RESILIENCE_BAD_OPTION */
export const resolveThrottle = (options: ThrottleOptions = {}): ThrottleSettings =>
  Object.freeze({
    k: atLeast('throttle.k', options.k ?? 2, 1),
    windowMs: atLeast('throttle.windowMs', options.windowMs ?? 120_000, BUCKETS),
    minCalls: atLeast('throttle.minCalls', options.minCalls ?? 20, 0),
  });

const BUCKETS = 12;

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
    this.#requests[this.#at] = (this.#requests[this.#at] as number) + 1;
    this.#requestsTotal++;
    return chance > 0 && this.#random.next() < chance;
  }

  onAnswer(accepted: boolean, nowMs: number): void {
    if (!accepted) return;
    this.#advance(nowMs);
    this.#accepts[this.#at] = (this.#accepts[this.#at] as number) + 1;
    this.#acceptsTotal++;
  }

  probability(nowMs: number): number {
    this.#advance(nowMs);
    const { k, minCalls } = this.#settings;
    const requests = this.#requestsTotal;
    if (requests < minCalls) return 0;
    return Math.max(0, (requests - k * this.#acceptsTotal) / (requests + 1));
  }

  configure(settings: ThrottleSettings): void {
    this.#settings = settings;
  }

  #advance(nowMs: number): void {
    const tick = Math.floor(nowMs / (this.#settings.windowMs / BUCKETS));
    if (tick <= this.#tick) return;
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
