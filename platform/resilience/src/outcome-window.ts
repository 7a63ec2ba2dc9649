import { atLeast, wholeAtLeast } from './check-option.ts';
import { resilienceErrors } from './errors.ts';

/**
 * Which calls a rate is made of.
 * - `time`: those of the last `buckets * bucketMs` milliseconds.
 * - `count`: the last so many.
 */
export type WindowOptions = { readonly buckets: number; readonly bucketMs: number } | { readonly count: number };

/*
 * N1 The totals are those of the calls that lie in the window, and of no others.
 * N2 To add costs the same however many calls there are. Time that passed is made up for once, whatever passed: at most all buckets.
 * N3 Time that goes back changes nothing: what comes then belongs to the bucket of the latest instant.
 * N4 Who asks changes nothing: `at` may be asked of any instant.
 */
export interface OutcomeTotals {
  readonly total: number;
  readonly failures: number;
  readonly slow: number;
}

/** Its own totals are those of the last `add`. */
export interface OutcomeWindow extends OutcomeTotals {
  add(failed: boolean, slow: boolean, nowMs: number): void;
  /** Pure. What of it still lies in the window at that instant. */
  at(nowMs: number): OutcomeTotals;
  clear(): void;
}

export function checkWindow(window: WindowOptions): WindowOptions {
  if ('count' in window && 'buckets' in window)
    throw resilienceErrors.BAD_OPTION({ option: 'breaker.window', want: 'count or buckets, not both', got: 'both' });
  if ('count' in window) return { count: wholeAtLeast('breaker.window.count', window.count, 1) };
  const buckets = wholeAtLeast('breaker.window.buckets', window.buckets, 1);
  if (buckets > 3600)
    throw resilienceErrors.BAD_OPTION({ option: 'breaker.window.buckets', want: 'at most 3600', got: buckets });
  return { buckets, bucketMs: atLeast('breaker.window.bucketMs', window.bucketMs, 1) };
}

export const createOutcomeWindow = (options: WindowOptions): OutcomeWindow =>
  'count' in options ? new CountWindow(options.count) : new TimeWindow(options.buckets, options.bucketMs);

export const sameShape = (one: WindowOptions, other: WindowOptions): boolean =>
  'count' in one
    ? 'count' in other && one.count === other.count
    : !('count' in other) && one.buckets === other.buckets && one.bucketMs === other.bucketMs;

const FAILED = 1;
const SLOW = 2;

class CountWindow implements OutcomeWindow {
  total = 0;
  failures = 0;
  slow = 0;
  readonly #size: number;
  /** Grows with what it holds: a window of 100,000 that saw ten calls is small. */
  #ring: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.#size = size;
    this.#ring = new Uint8Array(Math.min(size, 16));
  }

  add(failed: boolean, slow: boolean): void {
    if (this.total === this.#size) this.#forget(this.#ring[this.#at] as number);
    else if (this.total === this.#ring.length) this.#grow();
    this.#ring[this.#at] = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.#at = this.#at + 1 === this.#size ? 0 : this.#at + 1;
    this.total++;
    if (failed) this.failures++;
    if (slow) this.slow++;
  }

  at(): OutcomeTotals {
    return this;
  }

  clear(): void {
    this.total = this.failures = this.slow = this.#at = 0;
  }

  #grow(): void {
    const larger = new Uint8Array(Math.min(this.#size, this.#ring.length * 2));
    larger.set(this.#ring);
    this.#ring = larger;
  }

  #forget(mark: number): void {
    this.total--;
    if (mark & FAILED) this.failures--;
    if (mark & SLOW) this.slow--;
  }
}

const FIELDS = 3;

class TimeWindow implements OutcomeWindow {
  total = 0;
  failures = 0;
  slow = 0;
  readonly #size: number;
  readonly #bucketMs: number;
  /** Calls, failures and slow ones of each bucket. */
  #ring: Uint32Array | undefined;
  #tick = Number.NEGATIVE_INFINITY;
  #at = 0;

  constructor(buckets: number, bucketMs: number) {
    this.#size = buckets;
    this.#bucketMs = bucketMs;
  }

  add(failed: boolean, slow: boolean, nowMs: number): void {
    this.#ring ??= new Uint32Array(this.#size * FIELDS);
    this.#advance(nowMs);
    const at = this.#at * FIELDS;
    this.#ring[at] = (this.#ring[at] as number) + 1;
    this.total++;
    if (failed) {
      this.#ring[at + 1] = (this.#ring[at + 1] as number) + 1;
      this.failures++;
    }
    if (slow) {
      this.#ring[at + 2] = (this.#ring[at + 2] as number) + 1;
      this.slow++;
    }
  }

  at(nowMs: number): OutcomeTotals {
    let { total, failures, slow } = this;
    const ring = this.#ring;
    if (ring === undefined) return { total, failures, slow };
    const gone = Math.min(Math.floor(nowMs / this.#bucketMs) - this.#tick, this.#size);
    for (let step = 1; step <= gone; step++) {
      const at = ((this.#at + step) % this.#size) * FIELDS;
      total -= ring[at] as number;
      failures -= ring[at + 1] as number;
      slow -= ring[at + 2] as number;
    }
    return { total, failures, slow };
  }

  #advance(nowMs: number): void {
    const tick = Math.floor(nowMs / this.#bucketMs);
    if (tick <= this.#tick) return;
    const steps = Math.min(tick - this.#tick, this.#size);
    this.#tick = tick;
    const ring = this.#ring;
    if (ring === undefined) return;
    for (let step = 0; step < steps; step++) {
      this.#at = this.#at + 1 === this.#size ? 0 : this.#at + 1;
      const at = this.#at * FIELDS;
      this.total -= ring[at] as number;
      this.failures -= ring[at + 1] as number;
      this.slow -= ring[at + 2] as number;
      ring.fill(0, at, at + FIELDS);
    }
  }

  clear(): void {
    this.#ring?.fill(0);
    this.total = this.failures = this.slow = 0;
  }
}
