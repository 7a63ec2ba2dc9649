/** A clock that only goes on: what the one it reads is set back by is no time. As long as that one goes on too, they tell the same. */
export class SteadyTime {
  #lastMs = Number.NEGATIVE_INFINITY;
  #behindMs = 0;

  /** Milliseconds; never less than before. */
  read(nowMs: number): number {
    if (nowMs < this.#lastMs) this.#behindMs += this.#lastMs - nowMs;
    this.#lastMs = nowMs;
    return nowMs + this.#behindMs;
  }

  /** What `read` would tell; changes nothing. */
  peek(nowMs: number): number {
    return Math.max(nowMs, this.#lastMs) + this.#behindMs;
  }
}
