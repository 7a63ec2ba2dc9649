import type { RateLimiterSettings } from './rate-limiter-options.ts';
import { SlidingWindow } from './sliding-window.ts';

/*
 * R1 Within any span of time no more is let through than burst + span / (period / limit) (GCRA), or `limit` in any period (window).
 * R2 What is refused takes nothing.
 * R3 Who may wait gets a turn of its own: turns are handed out in the order of asking, and each is at the rate.
 * R4 Time that goes back gives nothing for free, and takes nothing either.
 */

export interface RateLimiter {
  /** 0: taken. More: milliseconds after which it may be tried again. `Infinity`: never, for the cost is more than the burst. */
  tryTake(nowMs: number, cost?: number): number;
  /** Milliseconds until the turn that is taken by this; -1: it would be longer than `maxWaitMs`, and nothing is taken. */
  reserve(nowMs: number, cost: number, maxWaitMs: number): number;
  /** Gives back the last turn that was reserved, when whoever had it has gone. */
  giveBack(cost: number, nowMs: number): void;
  configure(settings: RateLimiterSettings, nowMs: number): void;
  /** Changes nothing. */
  view(nowMs: number): RateLimitView;
}

export interface RateLimitView {
  /** Calls that would be let through now. */
  readonly remaining: number;
  /** Milliseconds until everything is as if nobody had called. */
  readonly resetMs: number;
}

/** @param settings By `resolveRateLimiter`. */
export const createRateLimiter = (settings: RateLimiterSettings): RateLimiter =>
  settings.algorithm === 'sliding_window' ? new SlidingWindow(settings) : new Gcra(settings);

const PER_MS = 1000;

/**
 * The generic cell rate algorithm: one number, the instant at which everything that was let through would have come at the even rate.
 * In whole microseconds, so that sums of periods do not drift. A token bucket is the same, seen from its tokens.
 * ITU-T I.371, "virtual scheduling".
 */
class Gcra implements RateLimiter {
  #intervalUs = 0;
  #toleranceUs = 0;
  #burst = 0;
  /** Microseconds: the theoretical arrival time of the next call. */
  #arrivalUs = Number.NEGATIVE_INFINITY;
  #latestUs = Number.NEGATIVE_INFINITY;

  constructor(settings: RateLimiterSettings) {
    this.#set(settings);
  }

  tryTake(nowMs: number, cost = 1): number {
    if (cost > this.#burst) return Number.POSITIVE_INFINITY;
    const waitUs = this.#waitUs(nowMs, cost);
    if (waitUs > 0) return waitUs / PER_MS;
    this.#take(cost);
    return 0;
  }

  reserve(nowMs: number, cost: number, maxWaitMs: number): number {
    if (cost > this.#burst) return -1;
    const waitUs = this.#waitUs(nowMs, cost);
    if (waitUs > maxWaitMs * PER_MS) return -1;
    this.#take(cost);
    return Math.max(0, waitUs / PER_MS);
  }

  giveBack(cost: number): void {
    this.#arrivalUs -= cost * this.#intervalUs;
  }

  configure(settings: RateLimiterSettings): void {
    this.#set(settings);
  }

  view(nowMs: number): RateLimitView {
    const nowUs = Math.max(this.#latestUs, Math.floor(nowMs * PER_MS));
    const busyUs = Math.max(0, this.#arrivalUs - nowUs);
    return {
      remaining: Math.max(0, Math.floor((this.#toleranceUs - busyUs) / this.#intervalUs)),
      resetMs: busyUs / PER_MS,
    };
  }

  #set({ limit, periodMs, burst }: RateLimiterSettings): void {
    this.#intervalUs = Math.max(1, Math.round((periodMs * PER_MS) / limit));
    this.#burst = burst;
    this.#toleranceUs = burst * this.#intervalUs;
  }

  #at(nowMs: number): number {
    const nowUs = Math.floor(nowMs * PER_MS);
    if (nowUs > this.#latestUs) this.#latestUs = nowUs;
    return this.#latestUs;
  }

  /** Microseconds until a call of this cost conforms. */
  #waitUs(nowMs: number, cost: number): number {
    const nowUs = this.#at(nowMs);
    if (this.#arrivalUs < nowUs) this.#arrivalUs = nowUs;
    return this.#arrivalUs + cost * this.#intervalUs - this.#toleranceUs - nowUs;
  }

  #take(cost: number): void {
    this.#arrivalUs += cost * this.#intervalUs;
  }
}
