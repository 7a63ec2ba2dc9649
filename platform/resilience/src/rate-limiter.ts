import type { RateLimiterSettings } from './rate-limiter-options.ts';
import { SlidingWindow } from './sliding-window.ts';
import { SteadyTime } from './steady-time.ts';

/*
 * R1 Within any span of time no more is let through than burst + span / (period / limit) (GCRA), or `limit` in any period (window).
 * R2 What is refused takes nothing. A cost that is not a finite number above 0 is refused, for ever, as one beyond the burst is.
 * R3 Who may wait gets a turn of its own: turns are handed out in the order of asking, and each is at the rate. Only the latest turn can be
 *    given back, and once: behind an earlier one others stand already, and what it left would be a second turn at the instant of the last.
 * R4 Time that goes back gives nothing for free, and takes nothing either: the rate goes on from there.
 */

export interface RateLimiter {
  /** 0: taken. More: milliseconds after which it may be tried again. `Infinity`: never, for the cost is none, or more than the burst. */
  tryTake(nowMs: number, cost?: number): number;
  /** Milliseconds until the turn that is taken by this; -1: it would be longer than `maxWaitMs`, and nothing is taken. */
  reserve(nowMs: number, cost: number, maxWaitMs: number): number;
  /** Names what was taken last. Who may want to give it back reads it right after `reserve`. */
  readonly lastTurn: number;
  /** For who reserved and has gone before its turn. False: others stand behind it, or it was given back already; then nothing happens. */
  giveBack(turn: number): boolean;
  /** Keeps what it knows, but not its algorithm's kind: for another one see `adjustRateLimiter`. */
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

/**
 * A limiter by other settings: the one there is, with what it knows, or a new one where the algorithms have nothing in common.
 * @param settings By `resolveRateLimiter`.
 */
export function adjustRateLimiter(
  limiter: RateLimiter | undefined,
  settings: RateLimiterSettings,
  nowMs: number,
): RateLimiter {
  const isWindow = settings.algorithm === 'sliding_window';
  if (limiter === undefined || limiter instanceof SlidingWindow !== isWindow) return createRateLimiter(settings);
  limiter.configure(settings, nowMs);
  return limiter;
}

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
  /** Microseconds by `#time`: the theoretical arrival time of the next call. */
  #arrivalUs = Number.NEGATIVE_INFINITY;
  readonly #time = new SteadyTime();
  lastTurn = 0;
  #lastUs = 0;

  constructor(settings: RateLimiterSettings) {
    this.#set(settings);
  }

  tryTake(nowMs: number, cost = 1): number {
    if (!(cost > 0 && cost <= this.#burst)) return Number.POSITIVE_INFINITY;
    const waitUs = this.#waitUs(nowMs, cost);
    if (waitUs > 0) return waitUs / PER_MS;
    this.#take(cost);
    return 0;
  }

  reserve(nowMs: number, cost: number, maxWaitMs: number): number {
    if (!(cost > 0 && cost <= this.#burst)) return -1;
    const waitUs = this.#waitUs(nowMs, cost);
    if (waitUs > maxWaitMs * PER_MS) return -1;
    this.#take(cost);
    return Math.max(0, waitUs / PER_MS);
  }

  giveBack(turn: number): boolean {
    if (turn !== this.lastTurn || this.#lastUs === 0) return false;
    this.#arrivalUs -= this.#lastUs;
    this.#lastUs = 0;
    return true;
  }

  configure(settings: RateLimiterSettings): void {
    this.#set(settings);
  }

  view(nowMs: number): RateLimitView {
    const nowUs = Math.floor(this.#time.peek(nowMs) * PER_MS);
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

  /** Microseconds until a call of this cost conforms. */
  #waitUs(nowMs: number, cost: number): number {
    const nowUs = Math.floor(this.#time.read(nowMs) * PER_MS);
    if (this.#arrivalUs < nowUs) this.#arrivalUs = nowUs;
    return this.#arrivalUs + this.#spanUs(cost) - this.#toleranceUs - nowUs;
  }

  #take(cost: number): void {
    this.#lastUs = this.#spanUs(cost);
    this.#arrivalUs += this.#lastUs;
    this.lastTurn++;
  }

  #spanUs(cost: number): number {
    return Math.ceil(cost * this.#intervalUs);
  }
}
