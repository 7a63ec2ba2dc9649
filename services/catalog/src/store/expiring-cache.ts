import type { Clock } from '@souk/kernel';

export interface ExpiringCacheOptions<TValue> {
  readonly clock: Clock;
  /** Sum of weights that is kept; what was asked for least recently goes first. */
  readonly capacity: number;
  readonly weightOf: (value: TValue) => number;
  /** How long a value is reused, in milliseconds. */
  readonly ttlMsOf: (value: TValue) => number;
  /** Whether values that are dear to compute may outlive {@link ExpiringCache.invalidate} for a while. @default false */
  readonly sparing?: boolean;
}

/** Values that are dear to compute and may be a little old. */
export interface ExpiringCache<TValue> {
  /** The kept value, or that of a load under way, or a new one. A load that fails is not kept, and not shared with others. */
  get(key: string, load: () => Promise<TValue>): Promise<TValue>;
  /** Until when a value is reused, in milliseconds of the monotonic clock; 0 for one that is not kept. */
  expiryOf(key: string): number;
  /**
   * Something changed: all values are forgotten. In a sparing cache, one that took longer than 250 ms serves on for twenty times as long as
   * it took, so that steady writes cannot make computing it take more than a twentieth of the time.
   */
  invalidate(): void;
}

interface Entry<TValue> {
  readonly value: Promise<TValue>;
  readonly startedMs: number;
  tookMs: number | undefined;
  expiresMs: number;
  weight: number;
}

const QUICK_MS = 250;
const GRACE = 20;

export function createExpiringCache<TValue>(options: ExpiringCacheOptions<TValue>): ExpiringCache<TValue> {
  const { clock, capacity, weightOf, ttlMsOf, sparing = false } = options;
  const entries = new Map<string, Entry<TValue>>();
  let total = 0;

  const remove = (key: string, entry: Entry<TValue>): void => {
    if (entries.get(key) !== entry) return;
    entries.delete(key);
    total -= entry.weight;
  };

  const settle = (key: string, entry: Entry<TValue>, value: TValue): void => {
    entry.tookMs = clock.monotonicMs() - entry.startedMs;
    entry.expiresMs = clock.monotonicMs() + ttlMsOf(value);
    if (entries.get(key) !== entry) return;
    entry.weight = weightOf(value);
    total += entry.weight;
    for (const [oldest, old] of entries) {
      if (total <= capacity) break;
      if (old !== entry) remove(oldest, old);
    }
  };

  const start = (key: string, load: () => Promise<TValue>): Promise<TValue> => {
    const startedMs = clock.monotonicMs();
    const entry: Entry<TValue> = {
      value: load().then(
        (value) => {
          settle(key, entry, value);
          return value;
        },
        (error) => {
          remove(key, entry);
          throw error;
        },
      ),
      startedMs,
      tookMs: undefined,
      expiresMs: Number.POSITIVE_INFINITY,
      weight: 0,
    };
    entries.set(key, entry);
    return entry.value;
  };

  return {
    get: async (key, load) => {
      const entry = entries.get(key);
      if (entry === undefined) return start(key, load);
      if (clock.monotonicMs() >= entry.expiresMs) {
        remove(key, entry);
        return start(key, load);
      }
      if (entry.tookMs === undefined) return entry.value.catch(load);
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    expiryOf: (key) => entries.get(key)?.expiresMs ?? 0,
    invalidate: () => {
      for (const [key, entry] of entries) {
        if (!sparing || entry.tookMs === undefined || entry.tookMs <= QUICK_MS) remove(key, entry);
        else entry.expiresMs = Math.min(entry.expiresMs, entry.startedMs + entry.tookMs * (GRACE + 1));
      }
    },
  };
}
