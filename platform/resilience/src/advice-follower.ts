import type { Random } from '@souk/kernel';
import { type BreakerSharingSettings, jittered } from './advice-options.ts';
import type { Verdict } from './breaker-advice.ts';

/*
 * idle --update(open)--> (a moment of its own) --> following --update(not open) | time | noteSuccess()--> idle
 *
 * F1 Advice ends by itself: at the latest when the verdict lapses, moved by the jitter. The breaker is told for `everyMs` at most, again
 *    and again, so that it ends there too when nobody advises any more.
 * F2 Five successes of calls begun under the advice end it, for one lifetime.
 * F3 Instances begin and end at moments of their own.
 */

/** Follows the advice on one key, softly: with a start and an end of its own, and not against what is seen here. */
export interface AdviceFollower {
  /** @returns Until when the breaker is to be careful, in monotonic milliseconds; undefined when there is nothing new to tell it. */
  update(verdict: Verdict, nowMs: number): number | undefined;
  isFollowing(nowMs: number): boolean;
  /** A call that began at `startedMs` went well. */
  noteSuccess(startedMs: number, nowMs: number): void;
}

/** Successes here that outweigh the advice: fewer may be luck. */
const ENOUGH_SUCCESSES = 5;

export function createAdviceFollower(settings: BreakerSharingSettings, random: Random): AdviceFollower {
  return new Follower(settings, random);
}

class Follower implements AdviceFollower {
  readonly #settings: BreakerSharingSettings;
  readonly #random: Random;
  #overriddenUntilMs = Number.NEGATIVE_INFINITY;
  /** When this instance begins to follow what the others say; undefined while they say nothing. */
  #beginMs: number | undefined;
  /** Moves the end, drawn once per advice. */
  #endShiftMs = 0;
  #sinceMs: number | undefined;
  #untilMs = Number.NEGATIVE_INFINITY;
  #toldUntilMs = Number.NEGATIVE_INFINITY;
  #successes = 0;

  constructor(settings: BreakerSharingSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  isFollowing(nowMs: number): boolean {
    return this.#sinceMs !== undefined && nowMs < this.#untilMs;
  }

  update(verdict: Verdict, nowMs: number): number | undefined {
    if (!verdict.isOpen) {
      this.#end();
      return undefined;
    }
    if (nowMs < this.#overriddenUntilMs) return undefined;
    const { everyMs, ttlMs, jitter } = this.#settings;
    if (this.#beginMs === undefined) {
      this.#beginMs = nowMs + this.#random.next() * jitter * everyMs;
      this.#endShiftMs = jittered(ttlMs, jitter, this.#random.next()) - ttlMs;
    }
    if (nowMs < this.#beginMs) return undefined;
    this.#untilMs = verdict.untilMs + this.#endShiftMs;
    if (nowMs >= this.#untilMs) return undefined;
    this.#sinceMs ??= nowMs;
    const tellMs = Math.min(this.#untilMs, nowMs + everyMs);
    if (tellMs <= this.#toldUntilMs) return undefined;
    this.#toldUntilMs = tellMs;
    return tellMs;
  }

  noteSuccess(startedMs: number, nowMs: number): void {
    if (!this.isFollowing(nowMs) || startedMs < (this.#sinceMs ?? nowMs)) return;
    if (++this.#successes < ENOUGH_SUCCESSES) return;
    const { ttlMs, jitter } = this.#settings;
    this.#overriddenUntilMs = nowMs + jittered(ttlMs, jitter, this.#random.next());
    this.#end();
  }

  #end(): void {
    this.#beginMs = undefined;
    this.#sinceMs = undefined;
    this.#successes = 0;
  }
}
