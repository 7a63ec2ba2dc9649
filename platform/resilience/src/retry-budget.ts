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

/** For one client and one target. @throws RESILIENCE_BAD_OPTION */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  return new WindowBudget(options);
}

class WindowBudget implements RetryBudget {
  #ratio = 0;
  #floor = 0;
  readonly #requests = new Uint32Array(BUCKETS);
  readonly #retries = new Uint32Array(BUCKETS);
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
    this.#requests[this.#at] = (this.#requests[this.#at] as number) + 1;
    this.#requestsTotal++;
  }

  tryTake(nowMs: number): boolean {
    if (this.remaining(nowMs) < 1) return false;
    this.#retries[this.#at] = (this.#retries[this.#at] as number) + 1;
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
      this.#requestsTotal -= this.#requests[this.#at] as number;
      this.#retriesTotal -= this.#retries[this.#at] as number;
      this.#requests[this.#at] = 0;
      this.#retries[this.#at] = 0;
    }
  }
}
