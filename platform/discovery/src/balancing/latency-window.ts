/** Slots per doubling: neighbours differ by 19 %. */
const PER_DOUBLING = 4;
/** From 1/16 ms to 70 minutes. */
const SLOTS = 26 * PER_DOUBLING;
const SMALLEST_MS = 1 / 16;

/** Latencies of an interval, to within 19 %. Never grows. */
export interface LatencyWindow {
  add(ms: number): void;
  /** @returns the upper edge of the slot that holds the quantile, in milliseconds; 0 for none */
  quantile(share: number): number;
  clear(): void;
}

export function createLatencyWindow(): LatencyWindow {
  const slots = new Uint32Array(SLOTS);
  let count = 0;
  return {
    add: (ms) => {
      const slot = Math.floor(Math.log2(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) * PER_DOUBLING);
      const at = Math.min(slot, SLOTS - 1);
      slots[at] = (slots[at] as number) + 1;
      count += 1;
    },
    quantile: (share) => {
      if (count === 0) return 0;
      let left = Math.ceil(count * share);
      let slot = 0;
      for (; slot < SLOTS - 1; slot++) {
        left -= slots[slot] as number;
        if (left <= 0) break;
      }
      return SMALLEST_MS * 2 ** ((slot + 1) / PER_DOUBLING);
    },
    clear: () => {
      slots.fill(0);
      count = 0;
    },
  };
}
