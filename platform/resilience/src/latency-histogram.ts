/*
 * Counts in slots that are each 4 % wider than the one before, so a quantile is at most 2 % off. Two halves take turns: what is asked is
 * answered from the last 15 to 30 seconds, and to forget costs one swap.
 */

export interface LatencyHistogram {
  record(latencyMs: number, nowMs: number): void;
  /** Latencies that are remembered. */
  count(nowMs: number): number;
  /** Milliseconds that this share of the calls took at most; undefined when there were none. @param quantile From 0 to 1. */
  quantile(quantile: number, nowMs: number): number | undefined;
}

const HALF_MS = 15_000;
/** 0.05 ms to 35 minutes; what is shorter or longer counts as that. */
const SLOTS = 448;
const LOWEST_MS = 0.05;
const WIDTH = Math.log(1.04);
const SCALE = 1 / WIDTH;
const LOG_LOWEST = Math.log(LOWEST_MS);

export const createLatencyHistogram = (): LatencyHistogram => new TwoHalves();

class TwoHalves implements LatencyHistogram {
  /** Made when the first latency comes: a policy that is not called needs no memory. */
  #now: Uint32Array | undefined;
  #before: Uint32Array | undefined;
  #countNow = 0;
  #countBefore = 0;
  #half = Number.NEGATIVE_INFINITY;

  record(latencyMs: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#now ??= new Uint32Array(SLOTS);
    const slot = slotOf(latencyMs);
    this.#now[slot] = (this.#now[slot] as number) + 1;
    this.#countNow++;
  }

  count(nowMs: number): number {
    this.#turn(nowMs);
    return this.#countNow + this.#countBefore;
  }

  quantile(quantile: number, nowMs: number): number | undefined {
    const total = this.count(nowMs);
    if (total === 0) return undefined;
    let left = Math.max(1, Math.ceil(quantile * total));
    for (let slot = 0; slot < SLOTS; slot++) {
      left -= (this.#now?.[slot] ?? 0) + (this.#before?.[slot] ?? 0);
      if (left <= 0) return Math.exp(LOG_LOWEST + (slot + 0.5) * WIDTH);
    }
    return Math.exp(LOG_LOWEST + SLOTS * WIDTH);
  }

  #turn(nowMs: number): void {
    const half = Math.floor(nowMs / HALF_MS);
    if (half <= this.#half) return;
    const isNext = half === this.#half + 1;
    const spare = this.#before;
    this.#half = half;
    this.#before = isNext && this.#countNow > 0 ? this.#now : undefined;
    this.#countBefore = isNext ? this.#countNow : 0;
    this.#countNow = 0;
    // The memory of a policy that is silent is let go of.
    this.#now = isNext ? spare?.fill(0) : undefined;
  }
}

const slotOf = (latencyMs: number): number =>
  latencyMs <= LOWEST_MS ? 0 : Math.min(SLOTS - 1, Math.floor((Math.log(latencyMs) - LOG_LOWEST) * SCALE));
