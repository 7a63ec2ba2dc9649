import type { LimitAlgorithm } from './adaptive-limit-options.ts';

/** What one window showed. */
export interface LimitSample {
  readonly limit: number;
  /** The 90th percentile of the calls that succeeded; undefined when none did. */
  readonly latencyMs: number | undefined;
  /** More was dropped than is usual without overload. */
  readonly dropped: boolean;
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

/** @param timeoutMs For `aimd`: latency from which there is too much. */
export function createLimitRule(algorithm: LimitAlgorithm, timeoutMs: number): LimitRule {
  if (algorithm === 'aimd') return new Aimd(timeoutMs);
  if (algorithm === 'gradient2') return new Gradient2();
  return algorithm === 'vegas' ? new Vegas() : new Correlation();
}

const DECREASE = 0.9;

class Aimd implements LimitRule {
  readonly baselineMs = undefined;
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  next({ limit, dropped, latencyMs = 0 }: LimitSample): number {
    return dropped || latencyMs > this.#timeoutMs ? limit * DECREASE : limit + 1;
  }
}

/** TCP Vegas, Brakmo and Peterson 1995; thresholds as in Netflix' concurrency-limits. */
class Vegas implements LimitRule {
  baselineMs: number | undefined = undefined;
  readonly #lowest = new Lowest();
  readonly #effect = new Effect();

  next(sample: LimitSample): number {
    const { limit, latencyMs, dropped } = sample;
    if (latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    this.baselineMs = this.#lowest.add(latencyMs);
    this.#effect.add(sample, latencyMs);
    if (dropped) return limit * DECREASE;
    if (this.#effect.isInVain(sample)) return less(limit);
    if (this.#effect.isMissed(sample)) {
      this.#lowest.clear();
      this.baselineMs = this.#lowest.add(latencyMs);
    }
    return vegas(limit, this.baselineMs, latencyMs);
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
  readonly #effect = new Effect();
  #windows = 0;

  next(sample: LimitSample): number {
    const { limit, latencyMs, dropped } = sample;
    if (dropped || latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    this.#windows++;
    const weight = 2 / (Math.min(this.#windows, 600) + 1);
    this.baselineMs = (this.baselineMs ?? latencyMs) * (1 - weight) + latencyMs * weight;
    if (this.baselineMs / latencyMs > 2) this.baselineMs *= DECREASE;
    this.#effect.add(sample, latencyMs);
    if (this.#effect.isInVain(sample)) return less(limit);
    if (this.#effect.isMissed(sample)) this.baselineMs = latencyMs;
    const gradient = Math.min(1, Math.max(0.5, (1.5 * this.baselineMs) / latencyMs));
    // Always room to try more: a limit that stands still shows nothing.
    return limit * gradient + 4;
  }
}

/** Vegas with smoothed latencies, so that one odd window moves nothing. */
class Correlation implements LimitRule {
  baselineMs: number | undefined = undefined;
  readonly #recent: number[] = [];
  readonly #lowest = new Lowest();
  readonly #effect = new Effect();
  #short: number | undefined;

  next(sample: LimitSample): number {
    const { limit, latencyMs, dropped } = sample;
    if (latencyMs === undefined) return dropped ? limit * DECREASE : limit;
    push(this.#recent, latencyMs, 5);
    this.#short = mix(this.#short, median(this.#recent), 5);
    // Down to the lowest at once, up to it slowly: a crowded minute must not become what is normal.
    const lowest = this.#lowest.add(latencyMs);
    this.baselineMs = this.baselineMs === undefined ? lowest : Math.min(lowest, mix(this.baselineMs, lowest, 10));
    this.#effect.add(sample, latencyMs);
    if (dropped) return limit * DECREASE;
    if (this.#effect.isInVain(sample)) return less(limit);
    if (this.#effect.isMissed(sample)) {
      this.#lowest.clear();
      this.baselineMs = this.#lowest.add(Math.min(...this.#recent));
      this.#short = this.baselineMs;
    }
    return vegas(limit, this.baselineMs, this.#short);
  }
}

const less = (limit: number): number => limit - Math.max(1, Math.log10(limit) * 2);

/**
 * What more or less concurrency did in the last ten windows, in the line of failsafe-go's adaptive limiter. No latency shows a queue that
 * is always there; that more calls at once bring no more answers does. Without this look every baseline creeps up to the queue.
 */
class Effect {
  readonly #peaks: number[] = [];
  readonly #throughputs: number[] = [];
  readonly #latencies: number[] = [];

  add({ peak, throughput }: LimitSample, latencyMs: number): void {
    push(this.#peaks, peak, 10);
    push(this.#throughputs, throughput, 10);
    push(this.#latencies, latencyMs, 10);
  }

  /** More at once only took longer. */
  isInVain(sample: LimitSample): boolean {
    if (!this.#says(sample)) return false;
    const gain = this.#gain();
    return gain < -0.3 || (gain < 0.3 && this.#pain() > 0.5);
  }

  /** Fewer at once got less done, and none of it faster: there is no queue, the server itself has become slower. */
  isMissed(sample: LimitSample): boolean {
    return this.#says(sample) && this.#gain() > 0.5 && this.#pain() < 0.3;
  }

  #gain(): number {
    return correlation(this.#peaks, this.#throughputs);
  }

  #pain(): number {
    return correlation(this.#peaks, this.#latencies);
  }

  #says({ peak, limit }: LimitSample): boolean {
    return peak >= Math.floor(limit) * 0.9 && this.#peaks.length >= 5;
  }
}

/** The lowest of the last ten windows. */
class Lowest {
  readonly #recent: number[] = [];

  add(value: number): number {
    push(this.#recent, value, 10);
    return Math.min(...this.#recent);
  }

  clear(): void {
    this.#recent.length = 0;
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

function push(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}

/** An exponential average that remembers about `windows` values. */
const mix = (before: number | undefined, value: number, windows: number): number =>
  before === undefined ? value : before + ((value - before) * 2) / (windows + 1);
