import type { LimitAlgorithm } from './adaptive-limit-options.ts';

/** What one window showed. */
export interface LimitSample {
  readonly limit: number;
  /** The 90th percentile of the calls that succeeded; undefined when none did. */
  readonly latencyMs: number | undefined;
  readonly dropped: boolean;
  readonly dropRate: number;
  /** Most calls at once. */
  readonly peak: number;
  /** Calls that succeeded, per millisecond. */
  readonly throughput: number;
}

/** From one window to the next limit. */
export interface LimitRule {
  readonly baselineMs: number | undefined;
  next(sample: LimitSample): number;
}

export function createLimitRule(algorithm: LimitAlgorithm): LimitRule {
  if (algorithm === 'aimd') return new Aimd();
  if (algorithm === 'gradient2') return new Gradient2();
  return algorithm === 'vegas' ? new Vegas() : new Correlation();
}

const DECREASE = 0.9;

class Aimd implements LimitRule {
  readonly baselineMs = undefined;

  next({ limit, dropped }: LimitSample): number {
    return dropped ? limit * DECREASE : limit + 1;
  }
}

/** The lowest of the last ten windows. */
class Lowest {
  readonly #recent: number[] = [];

  add(value: number): number {
    this.#recent.push(value);
    if (this.#recent.length > 10) this.#recent.shift();
    return Math.min(...this.#recent);
  }
}

/** TCP Vegas, Brakmo and Peterson 1995; thresholds as in Netflix' concurrency-limits. */
class Vegas implements LimitRule {
  baselineMs: number | undefined = undefined;
  readonly #lowest = new Lowest();

  next({ limit, latencyMs, dropped }: LimitSample): number {
    if (latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    this.baselineMs = this.#lowest.add(latencyMs);
    return dropped ? limit * DECREASE : vegas(limit, this.baselineMs, latencyMs);
  }
}

/** The queue that latency above the baseline stands for decides. */
function vegas(limit: number, baselineMs: number, latencyMs: number): number {
  const queue = Math.ceil(limit * (1 - baselineMs / Math.max(latencyMs, baselineMs, 1e-6)));
  const step = Math.max(1, Math.log10(limit));
  if (queue <= step) return limit + 6 * step;
  if (queue < 3 * step) return limit + step;
  return queue > 6 * step ? limit - step : limit;
}

/** Long-term over short-term latency, as in Netflix' concurrency-limits; drops count, and it never grows by the factor. */
class Gradient2 implements LimitRule {
  baselineMs: number | undefined = undefined;
  #windows = 0;

  next({ limit, latencyMs, dropped }: LimitSample): number {
    if (dropped || latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    this.#windows++;
    const weight = 2 / (Math.min(this.#windows, 600) + 1);
    this.baselineMs = (this.baselineMs ?? latencyMs) * (1 - weight) + latencyMs * weight;
    if (this.baselineMs / latencyMs > 2) this.baselineMs *= DECREASE;
    const gradient = Math.min(1, Math.max(0.5, (1.5 * this.baselineMs) / latencyMs));
    // Room to try more only where the latency does not already say that it is enough.
    return limit * gradient + (gradient === 1 ? 4 : 0);
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Pearson's; 0 where one of them does not vary. */
export function correlation(xs: readonly number[], ys: readonly number[]): number {
  const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  for (const [at, x] of xs.entries()) {
    const y = ys[at] ?? my;
    xy += (x - mx) * (y - my);
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
  }
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

/**
 * Vegas with smoothed latencies, so that one odd window moves nothing; and a look at whether more concurrency brought more throughput,
 * in the line of failsafe-go's adaptive limiter: where it did not, the queue only moved to where no latency shows it.
 */
class Correlation implements LimitRule {
  baselineMs: number | undefined = undefined;
  readonly #recent: number[] = [];
  readonly #lowest = new Lowest();
  readonly #peaks: number[] = [];
  readonly #throughputs: number[] = [];
  readonly #latencies: number[] = [];
  #short: number | undefined;

  next({ limit, latencyMs, dropped, peak, throughput }: LimitSample): number {
    if (latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    push(this.#recent, latencyMs, 5);
    this.#short = mix(this.#short, median(this.#recent), 5);
    // Down to the lowest at once, up to it slowly: a crowded minute must not become what is normal.
    const lowest = this.#lowest.add(latencyMs);
    this.baselineMs = this.baselineMs === undefined ? lowest : Math.min(lowest, mix(this.baselineMs, lowest, 10));
    push(this.#peaks, peak, 10);
    push(this.#throughputs, throughput, 10);
    push(this.#latencies, latencyMs, 10);
    if (dropped) return limit * DECREASE;
    const isFull = peak >= limit * 0.9;
    if (isFull && this.#peaks.length >= 5) {
      const gain = correlation(this.#peaks, this.#throughputs);
      const pain = correlation(this.#peaks, this.#latencies);
      if (gain < -0.3 || (gain < 0.3 && pain > 0.5)) return limit - Math.max(1, Math.log10(limit) * 2);
    }
    return vegas(limit, this.baselineMs, this.#short);
  }
}

function push(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}

/** An exponential average that remembers about `windows` values. */
const mix = (before: number | undefined, value: number, windows: number): number =>
  before === undefined ? value : before + ((value - before) * 2) / (windows + 1);
