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

/** So few latencies are kept one by one: most policies are called rarely, and all slots take two kilobytes. */
const FEW = 16;

class Half {
  count = 0;
  #few: Uint16Array | undefined;
  #all: Uint32Array | undefined;

  add(slot: number): void {
    if (this.#all === undefined) {
      this.#few ??= new Uint16Array(FEW);
      if (this.count < FEW) {
        this.#few[this.count++] = slot;
        return;
      }
      this.#all = new Uint32Array(SLOTS);
      for (const known of this.#few) this.#all[known] = (this.#all[known] as number) + 1;
      this.#few = undefined;
    }
    this.#all[slot] = (this.#all[slot] as number) + 1;
    this.count++;
  }

  at(slot: number): number {
    if (this.#all !== undefined) return this.#all[slot] as number;
    let found = 0;
    for (let n = 0; n < this.count; n++) if (this.#few?.[n] === slot) found++;
    return found;
  }
}

class TwoHalves implements LatencyHistogram {
  #now: Half | undefined;
  #before: Half | undefined;
  #half = Number.NEGATIVE_INFINITY;

  record(latencyMs: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#now ??= new Half();
    this.#now.add(slotOf(latencyMs));
  }

  count(nowMs: number): number {
    this.#turn(nowMs);
    return (this.#now?.count ?? 0) + (this.#before?.count ?? 0);
  }

  quantile(quantile: number, nowMs: number): number | undefined {
    const total = this.count(nowMs);
    if (total === 0) return undefined;
    let left = Math.max(1, Math.ceil(quantile * total));
    for (let slot = 0; slot < SLOTS; slot++) {
      left -= (this.#now?.at(slot) ?? 0) + (this.#before?.at(slot) ?? 0);
      if (left <= 0) return Math.exp(LOG_LOWEST + (slot + 0.5) * WIDTH);
    }
    return Math.exp(LOG_LOWEST + SLOTS * WIDTH);
  }

  #turn(nowMs: number): void {
    const half = Math.floor(nowMs / HALF_MS);
    if (half <= this.#half) return;
    this.#before = half === this.#half + 1 ? this.#now : undefined;
    this.#now = undefined;
    this.#half = half;
  }
}

const slotOf = (latencyMs: number): number =>
  latencyMs <= LOWEST_MS ? 0 : Math.min(SLOTS - 1, Math.floor((Math.log(latencyMs) - LOG_LOWEST) * SCALE));
