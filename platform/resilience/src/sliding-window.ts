import type { RateLimiter, RateLimitView } from './rate-limiter.ts';
import type { RateLimiterSettings } from './rate-limiter-options.ts';

const PARTS = 10;

/**
 * Counts by tenths of a period. The oldest tenth counts in full until none of it lies in the period any more, so that a period never
 * holds too much, wherever it begins; the price is up to a tenth of the rate.
 */
export class SlidingWindow implements RateLimiter {
  #limit = 0;
  #partMs = 0;
  /** One more than a period has: that of now is not over yet. */
  readonly #counts = new Float64Array(PARTS + 1);
  #total = 0;
  #part = Number.NEGATIVE_INFINITY;
  #latestMs = Number.NEGATIVE_INFINITY;

  constructor(settings: RateLimiterSettings) {
    this.configure(settings);
  }

  tryTake(nowMs: number, cost = 1): number {
    if (cost > this.#limit) return Number.POSITIVE_INFINITY;
    this.#advance(nowMs);
    const waitMs = this.#waitMs(cost);
    if (waitMs > 0) return waitMs;
    const at = this.#slot(0);
    this.#counts[at] = (this.#counts[at] as number) + cost;
    this.#total += cost;
    return 0;
  }

  /** A window hands out no turns ahead of time: it is now, or not. */
  reserve(nowMs: number, cost: number): number {
    return this.tryTake(nowMs, cost) === 0 ? 0 : -1;
  }

  giveBack(cost: number): void {
    const at = this.#slot(0);
    const back = Math.min(cost, this.#counts[at] as number);
    this.#counts[at] = (this.#counts[at] as number) - back;
    this.#total -= back;
  }

  configure({ limit, periodMs }: RateLimiterSettings): void {
    const partMs = periodMs / PARTS;
    if (partMs !== this.#partMs) {
      this.#counts.fill(0);
      this.#total = 0;
      this.#part = Number.NEGATIVE_INFINITY;
    }
    this.#limit = limit;
    this.#partMs = partMs;
  }

  view(nowMs: number): RateLimitView {
    const part = Math.floor(Math.max(nowMs, this.#latestMs) / this.#partMs);
    let used = 0;
    let newest = -1;
    for (let age = 0; age <= PARTS; age++) {
      const count = this.#counts[this.#slot(age)] as number;
      if (count === 0 || part - (this.#part - age) > PARTS) continue;
      used += count;
      newest = Math.max(newest, this.#part - age);
    }
    const endMs = (newest + PARTS + 1) * this.#partMs;
    return { remaining: Math.max(0, this.#limit - used), resetMs: used === 0 ? 0 : Math.max(0, endMs - nowMs) };
  }

  /** Where the count of so many tenths ago is. */
  #slot(age: number): number {
    const size = PARTS + 1;
    return this.#part === Number.NEGATIVE_INFINITY ? age : (((this.#part - age) % size) + size) % size;
  }

  #advance(nowMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    const part = Math.floor(this.#latestMs / this.#partMs);
    if (part <= this.#part) return;
    const steps = Math.min(PARTS + 1, part - this.#part);
    this.#part = part;
    for (let age = 0; age < steps; age++) {
      const at = this.#slot(age);
      this.#total -= this.#counts[at] as number;
      this.#counts[at] = 0;
    }
  }

  /** Until so much of the oldest has left that there is room. */
  #waitMs(cost: number): number {
    let over = this.#total + cost - this.#limit;
    for (let age = PARTS; over > 0 && age >= 0; age--) {
      over -= this.#counts[this.#slot(age)] as number;
      if (over <= 0) return (this.#part - age + PARTS + 1) * this.#partMs - this.#latestMs;
    }
    return 0;
  }
}
