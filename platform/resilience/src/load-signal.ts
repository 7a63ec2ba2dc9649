/**
 * How busy this process is, as it finds itself. Not by the share of the time that it works: one that always works, and is not late, serves well.
 */
export interface LoadSample {
  /** Milliseconds that the event loop comes late, 99th percentile of the last second. */
  readonly eventLoopDelayMs: number;
  /** Share of the heap that is taken, 0 to 1. */
  readonly heapRatio: number;
}

/** Where a process has no room left. */
const LIMITS: LoadSample = { eventLoopDelayMs: 100, heapRatio: 0.85 };
/** What was over its limit is so until it is a tenth below it: otherwise the gate would swing with every sample. */
const HYSTERESIS = 0.9;

/**
 * The event loop is late when two samples in a row say so.
 * @returns how far the worst of the signals is beyond its limit: 0 is not at all, 1 is by half of the limit or more
 */
export interface LoadSignal {
  update(sample: LoadSample): number;
  readonly overload: number;
}

export function createLoadSignal(limits: Partial<LoadSample> = {}): LoadSignal {
  const limit = { ...LIMITS, ...limits };
  const over = new Set<keyof LoadSample>();
  const keys = Object.keys(LIMITS) as (keyof LoadSample)[];
  let overload = 0;
  let lastDelayMs = 0;
  return {
    get overload() {
      return overload;
    },
    update: (measured) => {
      overload = 0;
      // A single pause, as when garbage is collected or a neighbour takes the processor, is over before anybody could be refused for it.
      const sample = { ...measured, eventLoopDelayMs: Math.min(lastDelayMs, measured.eventLoopDelayMs) };
      lastDelayMs = measured.eventLoopDelayMs;
      for (const key of keys) {
        const share = sample[key] / limit[key];
        if (share >= 1) over.add(key);
        else if (share < HYSTERESIS || Number.isNaN(share)) over.delete(key);
        // Shares of a whole end at 1: beyond their limit there is no half more to go.
        const room = key === 'eventLoopDelayMs' ? 0.5 : Math.max(0.01, 1 / limit[key] - 1);
        if (over.has(key)) overload = Math.max(overload, Math.min(1, Math.max(0.1, (share - 1) / room)));
      }
      return overload;
    },
  };
}
