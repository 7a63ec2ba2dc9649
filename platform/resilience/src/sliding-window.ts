import type { RateLimiter, RateLimitView } from './rate-limiter.ts';
import type { RateLimiterSettings } from './rate-limiter-options.ts';
import { SteadyTime } from './steady-time.ts';

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
  readonly #time = new SteadyTime();
  lastTurn = 0;
  #lastCost = 0;
  #lastPart = 0;

  constructor(settings: RateLimiterSettings) {
    this.configure(settings);
  }

  tryTake(nowMs: number, cost = 1): number {
    if (!(cost > 0 && cost <= this.#limit)) return Number.POSITIVE_INFINITY;
    const atMs = this.#time.read(nowMs);
    this.#advance(atMs);
    const waitMs = this.#waitMs(cost, atMs);
    if (waitMs > 0) return waitMs;
    this.lastTurn++;
    this.#lastCost = cost;
    this.#lastPart = this.#part;
    const at = this.#slot(0);
    this.#counts[at] = (this.#counts[at] as number) + cost;
    this.#total += cost;
    return 0;
  }

  /** A window hands out no turns ahead of time: it is now, or not. */
  reserve(nowMs: number, cost: number): number {
    return this.tryTake(nowMs, cost) === 0 ? 0 : -1;
  }

  giveBack(turn: number): boolean {
    if (turn !== this.lastTurn || this.#lastCost === 0 || this.#lastPart !== this.#part) return false;
    const at = this.#slot(0);
    this.#counts[at] = (this.#counts[at] as number) - this.#lastCost;
    this.#total -= this.#lastCost;
    this.#lastCost = 0;
    return true;
  }

  configure({ limit, periodMs }: RateLimiterSettings): void {
    const partMs = periodMs / PARTS;
    if (partMs !== this.#partMs) {
      this.#counts.fill(0);
      this.#total = 0;
      this.#part = Number.NEGATIVE_INFINITY;
      this.#lastCost = 0;
    }
    this.#limit = limit;
    this.#partMs = partMs;
  }

  view(nowMs: number): RateLimitView {
    const atMs = this.#time.peek(nowMs);
    const part = Math.floor(atMs / this.#partMs);
    let used = 0;
    let newest = -1;
    for (let age = 0; age <= PARTS; age++) {
      const count = this.#counts[this.#slot(age)] as number;
      if (count === 0 || part - (this.#part - age) > PARTS) continue;
      used += count;
      newest = Math.max(newest, this.#part - age);
    }
    const endMs = (newest + PARTS + 1) * this.#partMs;
    return { remaining: Math.max(0, this.#limit - used), resetMs: used === 0 ? 0 : Math.max(0, endMs - atMs) };
  }

  /** Where the count of so many tenths ago is. */
  #slot(age: number): number {
    const size = PARTS + 1;
    return this.#part === Number.NEGATIVE_INFINITY ? age : (((this.#part - age) % size) + size) % size;
  }

  #advance(atMs: number): void {
    const part = Math.floor(atMs / this.#partMs);
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
  #waitMs(cost: number, atMs: number): number {
    let over = this.#total + cost - this.#limit;
    for (let age = PARTS; over > 0 && age >= 0; age--) {
      over -= this.#counts[this.#slot(age)] as number;
      if (over <= 0) return (this.#part - age + PARTS + 1) * this.#partMs - atMs;
    }
    return 0;
  }
}
