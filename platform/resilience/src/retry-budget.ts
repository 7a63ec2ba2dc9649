import { atLeast, ratio } from './check-option.ts';

/*
 * B1 Retries that were granted within the last ten seconds are at most max(minPerSec * 10, ratio * requests of the last ten seconds).
 * B2 A retry is counted when it is scheduled: those that wait for their turn have been paid for.
 * B3 A retry is no request: retries do not earn retries.
 */

export interface RetryBudgetOptions {
  /** Retries per request. Lower: less load on a target in trouble. Higher: more single failures are hidden. @default 0.1 */
  readonly ratio?: number;
  /** Retries per second that are always granted, so that a client with few calls can retry too. @default 10 */
  readonly minPerSec?: number;
}

export interface RetryBudget {
  onRequest(nowMs: number): void;
  /** Takes a retry (or a hedge) out of the budget. False: there is none left. */
  tryTake(nowMs: number): boolean;
  /** Retries that would be granted now. */
  remaining(nowMs: number): number;
  configure(options: RetryBudgetOptions): void;
}

const BUCKETS = 10;
const BUCKET_MS = 1000;
const MOST = 65_535;

/** For one client and one target. @throws RESILIENCE_BAD_OPTION */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  return new WindowBudget(options);
}

class WindowBudget implements RetryBudget {
  #ratio = 0;
  #floor = 0;
  /** Of each second: requests, then retries. In 40 bytes; a second that holds more than fits counts as full. */
  readonly #counts = new Uint16Array(BUCKETS * 2);
  #requestsTotal = 0;
  #retriesTotal = 0;
  #tick = Number.NEGATIVE_INFINITY;
  #at = 0;

  constructor(options: RetryBudgetOptions) {
    this.configure(options);
  }

  configure(options: RetryBudgetOptions): void {
    this.#ratio = ratio('retry.budget.ratio', options.ratio ?? 0.1);
    this.#floor = atLeast('retry.budget.minPerSec', options.minPerSec ?? 10, 0) * BUCKETS;
  }

  onRequest(nowMs: number): void {
    this.#advance(nowMs);
    if (this.#count(this.#at)) this.#requestsTotal++;
  }

  tryTake(nowMs: number): boolean {
    if (this.remaining(nowMs) < 1 || !this.#count(BUCKETS + this.#at)) return false;
    this.#retriesTotal++;
    return true;
  }

  remaining(nowMs: number): number {
    this.#advance(nowMs);
    // 0.1 * 30 is a little more than 3: without rounding it would be a retry too many or too few.
    const granted = Math.floor(Math.max(this.#floor, this.#ratio * this.#requestsTotal) + 1e-9);
    return Math.max(0, granted - this.#retriesTotal);
  }

  #advance(nowMs: number): void {
    const tick = Math.floor(nowMs / BUCKET_MS);
    if (tick <= this.#tick) return;
    const steps = Math.min(BUCKETS, tick - this.#tick);
    this.#tick = tick;
    for (let step = 0; step < steps; step++) {
      this.#at = (this.#at + 1) % BUCKETS;
      this.#requestsTotal -= this.#counts[this.#at] as number;
      this.#retriesTotal -= this.#counts[BUCKETS + this.#at] as number;
      this.#counts[this.#at] = 0;
      this.#counts[BUCKETS + this.#at] = 0;
    }
  }

  /** False: it is full. */
  #count(slot: number): boolean {
    const count = this.#counts[slot] as number;
    if (count === MOST) return false;
    this.#counts[slot] = count + 1;
    return true;
  }
}
