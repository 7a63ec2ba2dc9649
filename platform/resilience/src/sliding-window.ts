import type { RateLimiter, RateLimitView } from './rate-limiter.ts';
import type { RateLimiterSettings } from './rate-limiter-options.ts';

/**
 * Counts of this period and the one before; of that one, the part that a window which ends now still covers, as if its calls had come
 * evenly. Two numbers in place of all instants, for an error of a few percent.
 */
export class SlidingWindow implements RateLimiter {
  #limit = 0;
  #periodMs = 0;
  #period = Number.NEGATIVE_INFINITY;
  #count = 0;
  #before = 0;
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(settings: RateLimiterSettings) {
    this.configure(settings);
  }

  tryTake(nowMs: number, cost = 1): number {
    if (cost > this.#limit) return Number.POSITIVE_INFINITY;
    const waitMs = this.#waitMs(nowMs, cost);
    if (waitMs === 0) this.#count += cost;
    return waitMs;
  }

  /** A window hands out no turns ahead of time: it is now, or not. */
  reserve(nowMs: number, cost: number): number {
    return this.tryTake(nowMs, cost) === 0 ? 0 : -1;
  }

  giveBack(cost: number): void {
    this.#count = Math.max(0, this.#count - cost);
  }

  configure({ limit, periodMs }: RateLimiterSettings): void {
    this.#limit = limit;
    this.#periodMs = periodMs;
  }

  view(nowMs: number): RateLimitView {
    const now = this.#turn(nowMs);
    const used = this.#used(now);
    const resetMs = this.#count > 0 ? this.#left(now) + this.#periodMs : this.#before > 0 ? this.#left(now) : 0;
    return { remaining: Math.max(0, Math.floor(this.#limit - used)), resetMs };
  }

  #turn(nowMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    const period = Math.floor(this.#latestMs / this.#periodMs);
    if (period !== this.#period) {
      this.#before = period === this.#period + 1 ? this.#count : 0;
      this.#count = 0;
      this.#period = period;
    }
    return this.#latestMs;
  }

  /** Milliseconds until the period ends. */
  #left(nowMs: number): number {
    return (this.#period + 1) * this.#periodMs - nowMs;
  }

  #used(nowMs: number): number {
    return this.#count + (this.#before * this.#left(nowMs)) / this.#periodMs;
  }

  #waitMs(nowMs: number, cost: number): number {
    const now = this.#turn(nowMs);
    const over = this.#used(now) + cost - this.#limit;
    if (over <= 0) return 0;
    const left = this.#left(now);
    const inThis = this.#before > 0 ? (over * this.#periodMs) / this.#before : Number.POSITIVE_INFINITY;
    if (inThis <= left) return inThis;
    // In the next period this one is the one before, and fades in the same way.
    const stillOver = this.#count + cost - this.#limit;
    return left + (stillOver > 0 ? (stillOver * this.#periodMs) / this.#count : 0);
  }
}
