import { kernelErrors, type SoukError } from '@souk/kernel';
import { type Attempt, RunningAttempt } from './attempt.ts';
import type { BackoffMemory } from './backoff.ts';
import { resilienceErrors } from './errors.ts';
import type { Layers } from './layers.ts';
import type { Outcome } from './outcome.ts';
import { type Criticality, rankOf } from './priority.ts';
import { mayRepeat, nextDelay, type StoppedBy } from './retry.ts';
import type { WheelEntry } from './timer-wheel.ts';

export type Work<T> = (attempt: Attempt) => T | PromiseLike<T>;

/** What a call says of itself. A kernel context fits: its `cancellation` and `deadlineMs` are used. */
export interface CallInit {
  /** Aborts when the caller gives up. */
  readonly signal?: AbortSignal | undefined;
  /** Monotonic milliseconds at which the caller has no more use for an answer. */
  readonly deadlineMs?: number | undefined;
  /** Whether it may be repeated when it is not known whether it happened. Default: as the policy's retry says. */
  readonly idempotent?: boolean | undefined;
  /** What is refused last when there is too much to do. @default 'default' */
  readonly criticality?: Criticality | undefined;
  /** Says which calls belong together when some of a class are refused, so that a user's page fails or works as a whole. */
  readonly userHash?: number | undefined;
  /** Calls with the same key ask for the same: for `coalesce` and for the last good answer. */
  readonly key?: string | undefined;
  /** What the call takes of a rate limit. @default 1 */
  readonly cost?: number | undefined;
}

/** How a call ended. */
export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly attempts: number; readonly degraded: boolean }
  | {
      readonly ok: false;
      readonly error: unknown;
      readonly outcome: Outcome;
      readonly attempts: number;
      readonly stoppedBy: StoppedBy | undefined;
    };

export const NOTHING: CallInit = Object.freeze({});
const NO_DELAYS: readonly number[] = Object.freeze([]);

/** Told how a call ended: one of the two, once. The functions of a promise fit. */
export type OnValue<T> = (value: T, outcome: Outcome, call: Call<T>) => void;
export type OnError<T> = (error: unknown, outcome: Outcome, call: Call<T>) => void;

/** How an attempt ended that did not succeed: by an error, or by an answer that says no. */
interface Failed<T> {
  readonly outcome: Outcome;
  readonly error: unknown;
  readonly answer: { readonly value: T } | undefined;
}

/*
 * One call: its attempts one after the other (retries), and side by side (hedges).
 *
 * C1 It is answered once.
 * C2 Once it is answered, or its caller has gone, no attempt begins.
 * C3 Attempts of a round end the round together: the first success ends it, and failure only when none runs any more.
 */
export class Call<T> implements WheelEntry, BackoffMemory {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  previous = 0;
  delaysMs: readonly number[] = NO_DELAYS;
  attempts = 0;
  stoppedBy: StoppedBy | undefined = undefined;
  readonly layers: Layers;
  readonly work: Work<T>;
  readonly startedMs: number;
  readonly deadlineMs: number;
  readonly init: CallInit;
  readonly #onValue: OnValue<T>;
  readonly #onError: OnError<T>;
  #isDone = false;
  /** The only attempt that runs, as nearly always. */
  #only: RunningAttempt<T> | undefined = undefined;
  #others: RunningAttempt<T>[] | undefined = undefined;
  #roundSize = 0;
  /** Of this round: the first attempt's, once it has failed. */
  #first: Failed<T> | undefined = undefined;
  /** The last failure of an attempt that was really made. */
  #made: Failed<T> | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;

  constructor(layers: Layers, work: Work<T>, init: CallInit, nowMs: number, onValue: OnValue<T>, onError: OnError<T>) {
    this.layers = layers;
    this.work = work;
    this.init = init;
    this.startedMs = nowMs;
    this.deadlineMs = Math.min(nowMs + layers.deadlineMs, init.deadlineMs ?? Number.POSITIVE_INFINITY);
    this.#onValue = onValue;
    this.#onError = onError;
  }

  get criticality(): Criticality {
    return this.init.criticality ?? 'default';
  }

  get priority(): number {
    return rankOf(this.criticality);
  }

  get cost(): number {
    return this.init.cost ?? 1;
  }

  start(nowMs: number): void {
    const { signal } = this.init;
    this.layers.stats.calls++;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.#reject(signal.reason, 'cancelled');
        return;
      }
      this.#onAbort = () => this.#cancel(signal.reason);
      signal.addEventListener('abort', this.#onAbort);
    }
    if (this.deadlineMs <= nowMs) {
      this.#reject(this.overdue(nowMs), 'cancelled');
      return;
    }
    this.layers.retryBudget?.onRequest(nowMs);
    this.layers.hedgeBudget?.onRequest(nowMs);
    this.#round(nowMs);
  }

  /** The error of a call whose time is over: its caller's time, or that of the policy. */
  overdue(nowMs: number): SoukError {
    const { name, deadlineMs } = this.layers;
    if (this.deadlineMs === this.init.deadlineMs) return kernelErrors.DEADLINE_EXCEEDED();
    return resilienceErrors.TIMED_OUT({
      policy: name,
      scope: 'call',
      ms: Math.round(Math.min(deadlineMs, nowMs - this.startedMs)),
    });
  }

  gotValue(attempt: RunningAttempt<T>, value: T, outcome: Outcome, nowMs: number): void {
    if (this.#isDone) return;
    this.#leave(attempt);
    // An answer that says no is repeated like an error, and given when that does not help.
    if (outcome === 'failure' || outcome === 'throttled') {
      this.#failed(attempt, { outcome, error: undefined, answer: { value } }, nowMs);
      return;
    }
    if (attempt.hedge) this.layers.stats.hedgesWon++;
    this.#cancelOthers(nowMs);
    this.#finish();
    this.#onValue(value, outcome, this);
  }

  gotError(attempt: RunningAttempt<T>, error: unknown, outcome: Outcome, nowMs: number): void {
    if (this.#isDone) return;
    this.#leave(attempt);
    if (outcome === 'rejected' || mayRepeat(outcome, error)) {
      this.#failed(attempt, { outcome, error, answer: undefined }, nowMs);
      return;
    }
    this.#cancelOthers(nowMs);
    this.#reject(error, outcome);
  }

  #failed(attempt: RunningAttempt<T>, failed: Failed<T>, nowMs: number): void {
    if (failed.outcome !== 'rejected') this.#made = failed;
    if (!attempt.hedge || this.#first === undefined) this.#first = failed;
    if (this.#isWaiting(failed.outcome, nowMs)) return;
    if (this.#retries(this.#first.error, this.#first.outcome, nowMs)) return;
    // What was refused here says that nothing has happened; an attempt before it may have done something.
    const last = this.#first.outcome === 'rejected' ? (this.#made ?? this.#first) : this.#first;
    const { error, outcome, answer } = last;
    if (answer === undefined) {
      this.#reject(error, outcome);
      return;
    }
    this.#finish();
    this.#onValue(answer.value, outcome, this);
  }

  /** By the wheel: the wait before a retry is over, or it is time for another attempt beside those that run. */
  onDue(nowMs: number): void {
    if (this.#isDone) return;
    if (this.#isRunning()) this.#hedge(nowMs);
    else this.#round(nowMs);
  }

  #round(nowMs: number): void {
    this.#roundSize = 0;
    this.#first = undefined;
    const { hedge } = this.layers;
    if (hedge === undefined) {
      this.#begin(false, nowMs);
      return;
    }
    const delayMs = this.layers.hedgeDelay(nowMs);
    if (delayMs > 0 && delayMs !== Number.POSITIVE_INFINITY) this.layers.wheel.add(this, nowMs + delayMs, nowMs);
    this.#begin(false, nowMs);
    if (delayMs === 0) while (!this.#isDone && this.#roundSize < hedge.maxAttempts) if (!this.#hedge(nowMs)) break;
  }

  #begin(hedge: boolean, nowMs: number): void {
    const attempt = new RunningAttempt(this, ++this.attempts, hedge);
    this.#roundSize++;
    if (this.#only === undefined) this.#only = attempt;
    else this.#others = [...(this.#others ?? []), attempt];
    attempt.start(nowMs);
  }

  /** Begins another attempt of this round. False: there is none to be had; then it is dropped, for later is too late. */
  #hedge(nowMs: number): boolean {
    const { hedge, stats } = this.layers;
    if (hedge === undefined || this.init.idempotent === false || this.#roundSize >= hedge.maxAttempts) return false;
    if (!this.layers.mayHedge(nowMs)) return false;
    stats.hedges++;
    const delayMs = this.layers.hedgeDelay(nowMs);
    if (delayMs > 0 && delayMs !== Number.POSITIVE_INFINITY) this.layers.wheel.add(this, nowMs + delayMs, nowMs);
    this.#begin(true, nowMs);
    return true;
  }

  /** Whether the round goes on: another attempt runs, or begins now. */
  #isWaiting(outcome: Outcome, nowMs: number): boolean {
    if (this.layers.hedge === undefined) return false;
    // What has failed is no reason to wait for the timer; what was refused is no reason to ask again.
    if (outcome !== 'rejected' && this.#hedge(nowMs)) return true;
    return this.#isDone || this.#isRunning();
  }

  #retries(error: unknown, outcome: Outcome, nowMs: number): boolean {
    const { retry, retryBudget, random, stats, wheel } = this.layers;
    if (retry === undefined || this.layers.isShadow) return false;
    wheel.remove(this);
    const idempotent = this.init.idempotent ?? retry.idempotent;
    const remainingMs = this.deadlineMs - nowMs;
    const usualMs = this.layers.usualMs(nowMs);
    // The number of retries so far, whatever was hedged in between.
    const attempt = this.delaysMs.length + 1;
    const failed = { outcome, error, attempt, idempotent, remainingMs, usualMs };
    const next = nextDelay(retry, retryBudget, this, random, failed, nowMs);
    if (typeof next === 'string') {
      this.stoppedBy = next;
      return false;
    }
    stats.retries++;
    this.delaysMs = [...this.delaysMs, next];
    this.layers.listener?.onRetry?.({ policy: this.layers.name, attempt, delayMs: next, error });
    wheel.add(this, nowMs + next, nowMs);
    return true;
  }

  #cancel(reason: unknown): void {
    if (this.#isDone) return;
    this.#reject(reason, 'cancelled', () => this.#cancelOthers(this.layers.clock.monotonicMs(), reason));
  }

  #reject(error: unknown, outcome: Outcome, before?: () => void): void {
    this.#finish();
    before?.();
    this.#onError(error, outcome, this);
  }

  /** From here on nothing of the call begins. */
  #finish(): void {
    this.#isDone = true;
    this.layers.wheel.remove(this);
    if (this.#onAbort !== undefined) this.init.signal?.removeEventListener('abort', this.#onAbort);
  }

  #cancelOthers(nowMs: number, given?: unknown): void {
    const only = this.#only;
    const others = this.#others;
    if (only === undefined && others === undefined) return;
    const reason = given ?? this.layers.outrun();
    this.#only = undefined;
    this.#others = undefined;
    only?.cancel(reason, nowMs);
    if (others !== undefined) for (const other of others) other.cancel(reason, nowMs);
  }

  #isRunning(): boolean {
    return this.#only !== undefined || (this.#others !== undefined && this.#others.length > 0);
  }

  #leave(attempt: RunningAttempt<T>): void {
    if (this.#only === attempt) this.#only = undefined;
    else this.#others = this.#others?.filter((other) => other !== attempt);
  }
}
