import { isSoukError } from '@souk/kernel';
import type { BreakerPermit } from './breaker-types.ts';
import type { Call } from './call.ts';
import { resilienceErrors } from './errors.ts';
import type { GateRefusal, Waiter } from './gate.ts';
import type { Outcome } from './outcome.ts';
import type { WheelEntry } from './timer-wheel.ts';

/** What the work is told about the attempt that it is. */
export interface Attempt {
  /** Aborts when the caller gives up or the attempt's time is over. Made on first use: read it only where it is needed. */
  readonly signal: AbortSignal;
  /** 1 for the first; grows with retries and hedges. */
  readonly number: number;
  /** Whether it runs beside another attempt of the same call. */
  readonly hedge: boolean;
  /** Monotonic milliseconds at which the whole call is over; `Infinity`: no limit. */
  readonly deadlineMs: number;
  /** Milliseconds that were waited before each retry so far. */
  readonly delaysMs: readonly number[];
  /** Milliseconds left for this attempt. */
  remainingMs(): number;
}

/*
 * new --> pacing (waits for its turn by rate) --> queued (waits for a slot) --> running --> settled
 *                                                                              running --> answered (the caller has gone on) --> settled
 * A1 What an attempt took is given back once: slot, permit, timer, place in the queue.
 * A2 The slot is kept until the work settles, however the caller was answered.
 * A3 Nothing is awaited between the first admission and the start of the work, unless a limit makes it wait.
 */
type Phase = 'new' | 'pacing' | 'queued' | 'running' | 'answered' | 'settled';

export class RunningAttempt<T> implements Attempt, WheelEntry, Waiter {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  gateNext: Waiter | undefined = undefined;
  gatePrevious: Waiter | undefined = undefined;
  readonly number: number;
  readonly hedge: boolean;
  readonly #call: Call<T>;
  #phase: Phase = 'new';
  #startedMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #permit: BreakerPermit | undefined = undefined;
  /** Slots that it holds: the shedder's, then the bulkhead's. */
  #slots = 0;
  /** Its turn by rate, while it waits for it. */
  #turn = 0;
  #isShedding = false;
  #hasRun = false;
  #controller: AbortController | undefined = undefined;
  /** Why the signal is aborted, also when nobody has read it yet. */
  #ended: { readonly reason: unknown } | undefined = undefined;

  constructor(call: Call<T>, number: number, hedge: boolean) {
    this.#call = call;
    this.number = number;
    this.hedge = hedge;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  get priority(): number {
    return this.#call.priority;
  }

  get deadlineMs(): number {
    return this.#call.deadlineMs;
  }

  get delaysMs(): readonly number[] {
    return this.#call.delaysMs;
  }

  remainingMs(): number {
    return Math.max(0, this.#dueMs - this.#call.layers.clock.monotonicMs());
  }

  start(nowMs: number): void {
    const { throttle, limiter, breaker } = this.#call.layers;
    // A breaker that probes finds out by itself when all is well, and sooner.
    const isThrottling = throttle !== undefined && breaker?.isGuarding !== true;
    if (isThrottling && throttle.shouldReject(nowMs) && this.#isRefused('throttled', nowMs)) return;
    if (limiter !== undefined) {
      const waitMs = limiter.reserve(nowMs, this.#call.cost, this.#call.layers.limiterWaitMs);
      if (waitMs < 0 && this.#isRefused('rate_limited', nowMs)) return;
      if (waitMs > 0 && !this.#call.layers.isShadow) {
        this.#phase = 'pacing';
        this.#turn = limiter.lastTurn;
        this.#wait(nowMs + waitMs, nowMs);
        return;
      }
    }
    this.#enter(nowMs);
  }

  /** By the gate: there is a slot now. */
  admit(nowMs: number): void {
    this.#call.layers.wheel.remove(this);
    this.#slots++;
    this.#queue(nowMs);
  }

  /** By the gate: there will be no slot. */
  refuse(why: GateRefusal, nowMs: number): void {
    this.#call.layers.wheel.remove(this);
    if (why === 'deadline') this.#end('cancelled', this.#timedOut('call', nowMs), nowMs);
    else this.#turnAway(why, nowMs);
  }

  onDue(nowMs: number): void {
    const isOver = nowMs >= this.deadlineMs;
    if (this.#phase === 'pacing') {
      if (isOver) {
        this.#call.layers.limiter?.giveBack(this.#turn);
        this.#end('cancelled', this.#timedOut('call', nowMs), nowMs);
      } else this.#enter(nowMs);
    } else if (this.#phase === 'queued') {
      this.#call.layers.gates[this.#slots]?.leave(this, nowMs);
      this.refuse(isOver ? 'deadline' : 'timeout', nowMs);
    } else if (this.#phase === 'running') this.#giveUp(nowMs, isOver);
  }

  /** The caller has gone, or another attempt was faster. The call itself is answered elsewhere. */
  cancel(reason: unknown, nowMs: number): void {
    const { wheel, gates, limiter } = this.#call.layers;
    wheel.remove(this);
    if (this.#phase === 'pacing') limiter?.giveBack(this.#turn);
    if (this.#phase === 'queued') gates[this.#slots]?.leave(this, nowMs);
    const isAtWork = this.#phase === 'running';
    this.#abort(reason);
    this.#settle('cancelled', reason, nowMs);
    this.#phase = isAtWork ? 'answered' : 'settled';
    if (isAtWork) this.#becomeZombie();
    else this.#releaseSlots(nowMs);
  }

  #enter(nowMs: number): void {
    const { shedder } = this.#call.layers;
    if (shedder !== undefined) {
      const why = shedder.admit(this.priority, this.#call.init.userHash, nowMs);
      this.#isShedding = why === undefined;
      if (why !== undefined && this.#isRefused('shed', nowMs, why)) return;
    }
    this.#queue(nowMs);
  }

  /** Takes the slots that are missing, one gate after the other, and then runs. */
  #queue(nowMs: number): void {
    const { gates } = this.#call.layers;
    for (let gate = gates[this.#slots]; gate !== undefined; gate = gates[this.#slots]) {
      if (gate.tryEnter(this.priority, nowMs)) {
        this.#slots++;
        continue;
      }
      this.#phase = 'queued';
      const at = this.#slots;
      const why = gate.enqueue(this, nowMs);
      if (why !== undefined) this.#turnAway(why, nowMs);
      // It may have been told already, and then the timer is that of its work, or of the next queue.
      else if (this.#phase === 'queued' && this.#slots === at) this.#wait(nowMs + gate.maxWaitMs(nowMs), nowMs);
      return;
    }
    this.#run(nowMs);
  }

  /** A gate has no room: the shedder's is the first. */
  #turnAway(why: GateRefusal, nowMs: number): void {
    const { shedder } = this.#call.layers;
    const isShed = shedder !== undefined && this.#slots === 0;
    if (isShed) shedder.refusedByGate(nowMs);
    if (!this.#isRefused(isShed ? 'shed' : 'bulkhead', nowMs, GATE_WORDS[why])) this.#run(nowMs);
  }

  #run(nowMs: number): void {
    const { layers } = this.#call;
    const { breaker } = layers;
    if (breaker !== undefined) {
      this.#permit = breaker.tryAcquire(nowMs);
      if (this.#permit === undefined && this.#isRefused('breaker_open', nowMs)) return;
    }
    this.#phase = 'running';
    this.#hasRun = true;
    this.#startedMs = nowMs;
    this.#dueMs = Math.min(nowMs + layers.timeoutMs, this.#call.deadlineMs);
    if (this.#dueMs !== Number.POSITIVE_INFINITY) layers.wheel.add(this, this.#dueMs, nowMs);
    layers.stats.attempts++;
    let work: PromiseLike<T> | T;
    try {
      work = this.#call.work(this);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (isPromise(work)) {
      work.then(
        (value) => this.#succeeded(value),
        (error) => this.#failed(error),
      );
    } else this.#succeeded(work);
  }

  #succeeded(value: T): void {
    const { layers } = this.#call;
    const nowMs = layers.clock.monotonicMs();
    if (this.#phase === 'answered') {
      this.#settleLate(nowMs);
      return;
    }
    const outcome = layers.classifyValue === undefined ? 'success' : layers.classifyValue(value);
    this.#phase = 'settled';
    layers.wheel.remove(this);
    this.#settle(outcome, undefined, nowMs);
    this.#releaseSlots(nowMs);
    this.#call.gotValue(this, value, outcome, nowMs);
  }

  #failed(error: unknown): void {
    const { layers } = this.#call;
    const nowMs = layers.clock.monotonicMs();
    if (this.#phase === 'answered') {
      this.#settleLate(nowMs);
      return;
    }
    // Work that stops because it was told to is no news of its own: what told it to stop is.
    const ended = this.#ended;
    if (ended !== undefined) this.#end('failure', ended.reason, nowMs);
    else this.#end(layers.classify(error), error, nowMs);
  }

  #giveUp(nowMs: number, isOver: boolean): void {
    const { layers } = this.#call;
    const error = this.#timedOut(isOver ? 'call' : 'attempt', nowMs);
    layers.stats.timeouts++;
    this.#abort(error);
    if (layers.isCooperative) return;
    const tookMs = nowMs - this.#startedMs;
    // A caller with little time says nothing of the other side, unless that was slow by its own measure.
    const outcome = !isOver || tookMs >= layers.slowMs ? 'failure' : 'cancelled';
    this.#phase = 'answered';
    this.#becomeZombie();
    this.#settle(outcome, error, nowMs);
    this.#call.gotError(this, error, outcome === 'cancelled' ? 'failure' : outcome, nowMs);
  }

  /** Ends an attempt that nobody has been answered for. */
  #end(outcome: Outcome, error: unknown, nowMs: number): void {
    const { layers } = this.#call;
    this.#phase = 'settled';
    layers.wheel.remove(this);
    this.#settle(outcome, error, nowMs);
    this.#releaseSlots(nowMs);
    this.#call.gotError(this, error, outcome, nowMs);
  }

  /** Tells every layer that let it in how it ended; once. */
  #settle(outcome: Outcome, error: unknown, nowMs: number): void {
    const { breaker, shedder, throttle, latency } = this.#call.layers;
    const permit = this.#permit;
    this.#call.layers.stats.ended[outcome]++;
    if (permit !== undefined) breaker?.settle(permit, outcome, nowMs, error);
    if (this.#isShedding) {
      this.#isShedding = false;
      shedder?.done(outcome, nowMs - this.#startedMs, nowMs);
    }
    if (!this.#hasRun) return;
    if (permit?.probe !== true) throttle?.onAnswer(!wasRefused(outcome, error), nowMs);
    if (latency !== undefined && outcome !== 'rejected') latency.record(nowMs - this.#startedMs, nowMs);
  }

  #settleLate(nowMs: number): void {
    const { layers } = this.#call;
    this.#phase = 'settled';
    layers.stats.late++;
    for (let at = 0; at < this.#slots; at++) layers.gates[at]?.zombieDone();
    this.#releaseSlots(nowMs);
  }

  #becomeZombie(): void {
    for (let at = 0; at < this.#slots; at++) this.#call.layers.gates[at]?.markZombie();
  }

  #releaseSlots(nowMs: number): void {
    const { layers } = this.#call;
    for (; this.#slots > 0; this.#slots--) layers.releaseSlot(this.#slots - 1, nowMs);
  }

  /** Waits, but never longer than the call may take. */
  #wait(untilMs: number, nowMs: number): void {
    const dueMs = Math.min(untilMs, this.deadlineMs);
    if (dueMs !== Number.POSITIVE_INFINITY) this.#call.layers.wheel.add(this, dueMs, nowMs);
  }

  #abort(reason: unknown): void {
    this.#ended = { reason };
    this.#controller?.abort(reason);
  }

  #timedOut(scope: 'attempt' | 'call', nowMs: number): unknown {
    const { layers } = this.#call;
    if (scope === 'call') return this.#call.overdue(nowMs);
    return resilienceErrors.TIMED_OUT({ policy: layers.name, scope, ms: layers.timeoutMs });
  }

  /** False when nothing is enforced: then the attempt goes on as if it had been let in. */
  #isRefused(by: RefusedBy, nowMs: number, why: string = by): boolean {
    const { layers } = this.#call;
    layers.stats.refused(by);
    layers.stats.ended.rejected++;
    if (layers.isShadow) return false;
    this.#phase = 'settled';
    layers.wheel.remove(this);
    this.#releaseSlots(nowMs);
    if (this.#isShedding) {
      this.#isShedding = false;
      layers.shedder?.done('rejected', 0, nowMs);
    }
    this.#call.gotError(this, layers.rejections.error(by, why, nowMs), 'rejected', nowMs);
    return true;
  }
}

export type RefusedBy = 'throttled' | 'rate_limited' | 'shed' | 'bulkhead' | 'breaker_open';

const GATE_WORDS: Readonly<Record<GateRefusal, string>> = {
  limit: 'all slots are taken',
  queue: 'the queue is full',
  timeout: 'the wait for a slot took too long',
  deadline: 'the time of the call was over',
};

const isPromise = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function';

/** The other side did not take the call, rather than fail at it. */
const wasRefused = (outcome: Outcome, error: unknown): boolean =>
  outcome === 'throttled' || (outcome === 'failure' && isSoukError(error) && error.retry.kind === 'later');
