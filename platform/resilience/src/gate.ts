import type { GateSettings } from './gate-options.ts';
import { CRITICALITIES } from './priority.ts';
import { type Linked, WaitList } from './wait-list.ts';

/*
 * Slots, and a queue of bounded length for those who find none. Bulkheads and limits of concurrency are this.
 *
 * G1 At most `limit` slots are taken, but for those that were taken before the limit was lowered.
 * G2 A slot that is given back goes to the one that waits, in the same instant: nobody who comes later gets in between.
 * G3 Who waits hears once: admit or refuse; or it left and hears nothing.
 * G4 The more important goes first. A full queue refuses the least important of those who wait and the one who comes, whoever that is,
 *    and the one who comes among equals.
 * G5 Whose time is over is not admitted.
 * G6 A slot is held until the work has settled, whether somebody still waits for it or not.
 */

export type GateRefusal = 'limit' | 'queue' | 'timeout' | 'deadline';

/** Somebody in the queue. */
export interface Waiter extends Linked {
  /** 0 is the most important; see `rankOf`. */
  readonly priority: number;
  /** Monotonic milliseconds from which there is nobody to work for. */
  readonly deadlineMs: number;
  readonly enqueuedMs: number;
  admit(nowMs: number): void;
  refuse(why: GateRefusal, nowMs: number): void;
}

export interface GateView {
  readonly limit: number;
  readonly active: number;
  readonly queued: number;
  /** Slots whose work goes on though its caller has been answered. More than a fifth of the limit is a reason to look. */
  readonly zombies: number;
  readonly overloaded: boolean;
}

export interface Gate {
  readonly limit: number;
  readonly active: number;
  readonly queued: number;
  /** Takes a slot now. False: there is none, or others wait for it. */
  tryEnter(priority: number, nowMs: number): boolean;
  /** Undefined: it waits. Otherwise why it does not. */
  enqueue(waiter: Waiter, nowMs: number): GateRefusal | undefined;
  /** False: it was not in the queue. */
  leave(waiter: Waiter, nowMs: number): boolean;
  /** Gives a slot back. */
  release(nowMs: number): void;
  markZombie(): void;
  zombieDone(): void;
  /** Slots that are free by it are handed out. @param limit At least 1. */
  setLimit(limit: number, nowMs: number): void;
  /** Milliseconds that one who comes now may wait. */
  maxWaitMs(nowMs: number): number;
  configure(settings: GateSettings, nowMs: number): void;
  view(nowMs: number): GateView;
}

/** @param settings By `resolveGate`. */
export const createGate = (settings: GateSettings): Gate => new SlotGate(settings);

class SlotGate implements Gate {
  #settings: GateSettings;
  #limit: number;
  active = 0;
  queued = 0;
  #zombies = 0;
  /** By class; made when somebody first waits. */
  #queues: WaitList<Waiter>[] | undefined;
  readonly #waiting = new Set<Waiter>();
  #lastEmptyMs = Number.NEGATIVE_INFINITY;
  /** Nobody's time is over before. */
  #earliestMs = Number.POSITIVE_INFINITY;

  constructor(settings: GateSettings) {
    this.#settings = settings;
    this.#limit = settings.limit;
  }

  get limit(): number {
    return this.#limit;
  }

  tryEnter(_priority: number, nowMs: number): boolean {
    if (this.active >= this.#limit) return false;
    if (this.queued > 0) this.#serve(nowMs);
    if (this.queued > 0 || this.active >= this.#limit) return false;
    this.active++;
    return true;
  }

  enqueue(waiter: Waiter, nowMs: number): GateRefusal | undefined {
    if (this.#settings.queueLimit === 0) return 'limit';
    if (waiter.deadlineMs <= nowMs) return 'deadline';
    if (this.queued >= this.#settings.queueLimit) this.#dropExpired(nowMs);
    let pushedOut: Waiter | undefined;
    if (this.queued >= this.#settings.queueLimit) {
      pushedOut = this.#leastImportantBelow(waiter.priority);
      if (pushedOut === undefined) return 'queue';
      this.#remove(pushedOut, nowMs);
    }
    if (this.queued === 0) this.#lastEmptyMs = nowMs;
    this.#queueOf(waiter.priority).push(waiter);
    this.#waiting.add(waiter);
    this.#earliestMs = Math.min(this.#earliestMs, waiter.deadlineMs);
    this.queued++;
    pushedOut?.refuse('queue', nowMs);
    return undefined;
  }

  leave(waiter: Waiter, nowMs: number): boolean {
    if (!this.#waiting.has(waiter)) return false;
    this.#remove(waiter, nowMs);
    return true;
  }

  release(nowMs: number): void {
    this.active--;
    this.#serve(nowMs);
  }

  markZombie(): void {
    this.#zombies++;
  }

  zombieDone(): void {
    this.#zombies--;
  }

  setLimit(limit: number, nowMs: number): void {
    this.#limit = Math.max(1, Math.floor(limit));
    this.#serve(nowMs);
  }

  maxWaitMs(nowMs: number): number {
    const { order, queueTimeoutMs, overloadWaitMs } = this.#settings;
    return order === 'adaptive' && this.#isOverloaded(nowMs)
      ? Math.min(queueTimeoutMs, overloadWaitMs)
      : queueTimeoutMs;
  }

  configure(settings: GateSettings, nowMs: number): void {
    this.#settings = settings;
    this.setLimit(settings.limit, nowMs);
  }

  view(nowMs: number): GateView {
    const { active, queued } = this;
    return { limit: this.#limit, active, queued, zombies: this.#zombies, overloaded: this.#isOverloaded(nowMs) };
  }

  #isOverloaded(nowMs: number): boolean {
    return this.queued > 0 && nowMs - this.#lastEmptyMs >= this.#settings.overloadAfterMs;
  }

  /** Hands out what is free. */
  #serve(nowMs: number): void {
    while (this.queued > 0 && this.active < this.#limit) {
      const waiter = this.#next(nowMs);
      if (waiter === undefined) return;
      this.#remove(waiter, nowMs);
      if (waiter.deadlineMs <= nowMs) waiter.refuse('deadline', nowMs);
      else if (nowMs - waiter.enqueuedMs > this.maxWaitMs(nowMs)) waiter.refuse('timeout', nowMs);
      else {
        // Taken before anybody is told: what the waiter does in answer finds the slot gone.
        this.active++;
        waiter.admit(nowMs);
      }
    }
  }

  #next(nowMs: number): Waiter | undefined {
    const { order } = this.#settings;
    const last = order === 'lifo' || (order === 'adaptive' && this.#isOverloaded(nowMs));
    for (const queue of this.#queues ?? []) {
      const one = last ? queue.last : queue.first;
      if (one !== undefined) return one;
    }
    return undefined;
  }

  #leastImportantBelow(priority: number): Waiter | undefined {
    const queues = this.#queues ?? [];
    for (let rank = queues.length - 1; rank > priority; rank--) {
      const last = queues[rank]?.last;
      if (last !== undefined) return last;
    }
    return undefined;
  }

  #dropExpired(nowMs: number): void {
    if (nowMs < this.#earliestMs) return;
    const expired = [...this.#waiting].filter(({ deadlineMs }) => deadlineMs <= nowMs);
    for (const waiter of expired) this.#remove(waiter, nowMs);
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#waiting) this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    for (const waiter of expired) waiter.refuse('deadline', nowMs);
  }

  #queueOf(priority: number): WaitList<Waiter> {
    this.#queues ??= CRITICALITIES.map(() => new WaitList<Waiter>());
    return this.#queues[priority] as WaitList<Waiter>;
  }

  #remove(waiter: Waiter, nowMs: number): void {
    this.#queueOf(waiter.priority).remove(waiter);
    this.#waiting.delete(waiter);
    this.queued--;
    if (this.queued === 0) this.#lastEmptyMs = nowMs;
  }
}
