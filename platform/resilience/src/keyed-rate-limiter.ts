import { wholeAtLeast } from './check-option.ts';
import { adjustRateLimiter, createRateLimiter, type RateLimiter, type RateLimitView } from './rate-limiter.ts';
import type { RateLimiterSettings } from './rate-limiter-options.ts';
import { SteadyTime } from './steady-time.ts';

/*
 * A rate for each of many: users, addresses, tenants.
 *
 * Q1 Each key has a limiter of its own: what one takes, no other misses.
 * Q2 Never more than `maxKeys` are kept, and none for what was refused.
 * Q3 Nobody gets more by being forgotten: only a key whose limiter is as if it had never been used makes room. While there is none, a new key
 *    is refused like one that comes too early.
 */

export interface KeyedRateLimiter {
  /** Keys that are kept. */
  readonly size: number;
  /** As `RateLimiter.tryTake`. Where there is no room for a new key: milliseconds until there may be some. */
  tryTake(key: string, nowMs: number, cost?: number): number;
  /** As `RateLimiter.reserve`; -1 also where there is no room for a new key. */
  reserve(key: string, nowMs: number, cost: number, maxWaitMs: number): number;
  /** For all keys at once; looks at each. Another algorithm begins anew. */
  configure(settings: RateLimiterSettings, nowMs: number): void;
  /** Changes nothing. */
  view(key: string, nowMs: number): RateLimitView;
}

export interface KeyedRateLimiterOptions {
  /**
   * Keys that are kept at the same time, about 400 bytes each (`sliding_window`: 700). As many as can be active within one
   * `burst * periodMs / limit`; fewer, and new keys are refused when there are more. @default 100000
   */
  readonly maxKeys?: number;
}

/** Looked at for room, from the one that took longest ago. That one has nearly always recovered. */
const LOOKED_AT = 16;

/** @param settings By `resolveRateLimiter`. @throws RESILIENCE_BAD_OPTION */
export const createKeyedRateLimiter = (
  settings: RateLimiterSettings,
  options: KeyedRateLimiterOptions = {},
): KeyedRateLimiter => new LimiterByKey(settings, wholeAtLeast('rateLimit.maxKeys', options.maxKeys ?? 100_000, 1));

class LimiterByKey implements KeyedRateLimiter {
  #settings: RateLimiterSettings;
  readonly #maxKeys: number;
  /** The one that took longest ago is first. */
  readonly #limiters = new Map<string, RateLimiter>();
  readonly #time = new SteadyTime();

  constructor(settings: RateLimiterSettings, maxKeys: number) {
    this.#settings = settings;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#limiters.size;
  }

  tryTake(key: string, nowMs: number, cost = 1): number {
    const atMs = this.#time.read(nowMs);
    const known = this.#limiters.get(key);
    const limiter = known ?? createRateLimiter(this.#settings);
    const waitMs = limiter.tryTake(atMs, cost);
    if (waitMs > 0) return waitMs;
    const roomMs = known === undefined ? this.#roomMs(atMs) : 0;
    if (roomMs === 0) this.#keep(key, limiter);
    return roomMs;
  }

  reserve(key: string, nowMs: number, cost: number, maxWaitMs: number): number {
    const atMs = this.#time.read(nowMs);
    const known = this.#limiters.get(key);
    const limiter = known ?? createRateLimiter(this.#settings);
    const waitMs = limiter.reserve(atMs, cost, maxWaitMs);
    if (waitMs < 0 || (known === undefined && this.#roomMs(atMs) > 0)) return -1;
    this.#keep(key, limiter);
    return waitMs;
  }

  configure(settings: RateLimiterSettings, nowMs: number): void {
    const atMs = this.#time.read(nowMs);
    this.#settings = settings;
    for (const [key, limiter] of this.#limiters) this.#limiters.set(key, adjustRateLimiter(limiter, settings, atMs));
  }

  view(key: string, nowMs: number): RateLimitView {
    return (this.#limiters.get(key) ?? createRateLimiter(this.#settings)).view(this.#time.peek(nowMs));
  }

  #keep(key: string, limiter: RateLimiter): void {
    this.#limiters.delete(key);
    this.#limiters.set(key, limiter);
  }

  /** Makes room for a key. 0: there is some. Otherwise milliseconds until one of those that were looked at can go. */
  #roomMs(atMs: number): number {
    if (this.#limiters.size < this.#maxKeys) return 0;
    let soonestMs = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const [key, limiter] of this.#limiters) {
      const { resetMs } = limiter.view(atMs);
      if (resetMs === 0) {
        this.#limiters.delete(key);
        return 0;
      }
      soonestMs = Math.min(soonestMs, resetMs);
      if (++looked === LOOKED_AT) break;
    }
    return soonestMs;
  }
}
