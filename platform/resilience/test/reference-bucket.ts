/**
 * What a limiter is held to: a bucket with a hole. Each call pours in what it stands for, and the hole lets out one microsecond of it per
 * microsecond; what would flow over is refused. A turn that is reserved may stand above the brim: it waits until the brim is low enough.
 */
export class ReferenceBucket {
  levelUs = 0;
  #intervalUs = 0;
  #brimUs = 0;
  #burst = 0;

  constructor(shape: { limit: number; periodMs: number; burst: number }) {
    this.configure(shape);
  }

  configure({ limit, periodMs, burst }: { limit: number; periodMs: number; burst: number }): void {
    this.#intervalUs = Math.max(1, Math.round((periodMs * 1000) / limit));
    this.#brimUs = burst * this.#intervalUs;
    this.#burst = burst;
  }

  /** A clock that goes back lets nothing out, and pours nothing in. */
  pass(ms: number): void {
    this.levelUs = Math.max(0, this.levelUs - Math.max(0, ms) * 1000);
  }

  /** Milliseconds until it would not flow over; `Infinity`: it always will. */
  waitMs(cost: number): number {
    if (!Number.isFinite(cost) || cost <= 0 || cost > this.#burst) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.levelUs + cost * this.#intervalUs - this.#brimUs) / 1000;
  }

  pour(cost: number): void {
    this.levelUs += cost * this.#intervalUs;
  }

  get remaining(): number {
    return Math.max(0, Math.floor((this.#brimUs - this.levelUs) / this.#intervalUs));
  }
}
