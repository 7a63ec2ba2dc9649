import type { GateSettings } from './gate-options.ts';
import { CRITICALITIES } from './priority.ts';
import { SteadyTime } from './steady-time.ts';
import { type Linked, WaitList } from './wait-list.ts';

/*
 * Slots, and a queue of bounded length for those who find none. Bulkheads and limits of concurrency are this.
 *
 * G1 At most `limit` slots are taken, but for those that were taken before the limit was lowered. A slot that nobody has cannot be given
 *    back: it is counted and nothing else happens.
 * G2 A slot that is given back goes to the one that waits, in the same instant: nobody who comes later gets in between.
 * G3 Who waits hears once: admit or refuse; or it left and hears nothing. Everything is in its place before anybody hears, so that what
 *    they do in answer, to this gate too, finds it as it is.
 * G4 The more important goes first. A full queue refuses the least important of those who wait and the one who comes, whoever that is,
 *    and the one who comes among equals.
 * G5 Whose time is over is not admitted: neither after its deadline, nor when it has waited longer than may be waited at that moment.
 * G6 A slot is held until the work has settled, whether somebody still waits for it or not.
 */

export type GateRefusal = 'limit' | 'queue' | 'timeout' | 'deadline';

/** Somebody in the queue. */
export interface Waiter extends Linked {
  /** 0 is the most important; see `rankOf`. */
  readonly priority: number;
  /** Monotonic milliseconds from which there is nobody to work for. */
  readonly deadlineMs: number;
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
  /** Slots and zombies that were given back though nobody had them. Anything but 0 is a fault in whoever uses the gate. */
  readonly doubleReleases: number;
}

export interface Gate {
  readonly limit: number;
  readonly active: number;
  readonly queued: number;
  /** Slots whose work goes on though its caller has been answered. */
  readonly zombies: number;
  /** Takes a slot now. False: there is none, or others wait for it. */
  tryEnter(priority: number, nowMs: number): boolean;
  /**
   * Undefined: it waits, or it has been told already, for those who made room for it may have given a slot back. Otherwise why it does not
   * wait; then it hears nothing more.
   */
  enqueue(waiter: Waiter, nowMs: number): GateRefusal | undefined;
  /** False: it was not in the queue. */
  leave(waiter: Waiter, nowMs: number): boolean;
  /** Gives a slot back. Those who have waited too long hear it now. */
  release(nowMs: number): void;
  markZombie(): void;
  zombieDone(): void;
  /** Slots that are free by it are handed out. @param limit At least 1. */
  setLimit(limit: number, nowMs: number): void;
  /**
   * Milliseconds that anybody may wait by now. It falls when the gate is overloaded, also for those who wait already: they hear it when
   * the next slot is given back or somebody joins them, so a timer that was set by it before may ring late, and no harm is done.
   */
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
  zombies = 0;
  #doubleReleases = 0;
  /** By class; made when somebody first waits. */
  #queues: WaitList<Waiter>[] | undefined;
  /** And since when, by `#time`: those who came first are first. */
  #waiting: Map<Waiter, number> | undefined;
  readonly #time = new SteadyTime();
  /** When the queue was last empty, by `#time`; read only while somebody waits. */
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
    // A slot is free beside one that waits only while those before it are being told; it goes to the one that waits.
    if (this.queued > 0) this.#serve(nowMs);
    if (this.active >= this.#limit) return false;
    this.active++;
    return true;
  }

  enqueue(waiter: Waiter, nowMs: number): GateRefusal | undefined {
    if (this.#settings.queueLimit === 0) return 'limit';
    if (waiter.deadlineMs <= nowMs) return 'deadline';
    this.#dropOverdue(nowMs);
    if (this.queued >= this.#settings.queueLimit) this.#dropExpired(nowMs);
    let pushedOut: Waiter | undefined;
    if (this.queued >= this.#settings.queueLimit) {
      pushedOut = this.#leastImportantBelow(waiter.priority);
      if (pushedOut === undefined) return 'queue';
      this.#remove(pushedOut);
    }
    const sinceMs = this.#time.read(nowMs);
    if (this.queued === 0) this.#lastEmptyMs = sinceMs;
    this.#queueOf(waiter.priority).push(waiter);
    this.#waiting ??= new Map();
    this.#waiting.set(waiter, sinceMs);
    this.#earliestMs = Math.min(this.#earliestMs, waiter.deadlineMs);
    this.queued++;
    pushedOut?.refuse('queue', nowMs);
    // Those who were refused may have given back slots while this one was not in the queue yet.
    this.#serve(nowMs);
    return undefined;
  }

  leave(waiter: Waiter): boolean {
    if (!this.#waiting?.has(waiter)) return false;
    this.#remove(waiter);
    return true;
  }

  release(nowMs: number): void {
    if (this.active === 0) {
      this.#doubleReleases++;
      return;
    }
    this.active--;
    this.#serve(nowMs);
  }

  markZombie(): void {
    this.zombies++;
  }

  zombieDone(): void {
    if (this.zombies === 0) this.#doubleReleases++;
    else this.zombies--;
  }

  setLimit(limit: number, nowMs: number): void {
    this.#limit = limit >= 1 ? Math.floor(limit) : 1;
    this.#serve(nowMs);
  }

  maxWaitMs(nowMs: number): number {
    const { queueTimeoutMs, overloadWaitMs } = this.#settings;
    return this.#isOverloaded(nowMs) ? Math.min(queueTimeoutMs, overloadWaitMs) : queueTimeoutMs;
  }

  configure(settings: GateSettings, nowMs: number): void {
    this.#settings = settings;
    this.setLimit(settings.limit, nowMs);
  }

  view(nowMs: number): GateView {
    const { active, queued, zombies } = this;
    const overloaded = this.#isOverloaded(nowMs);
    return { limit: this.#limit, active, queued, zombies, overloaded, doubleReleases: this.#doubleReleases };
  }

  #isOverloaded(nowMs: number): boolean {
    const { order, overloadAfterMs } = this.#settings;
    return order === 'adaptive' && this.queued > 0 && this.#time.peek(nowMs) - this.#lastEmptyMs >= overloadAfterMs;
  }

  /** Hands out what is free. */
  #serve(nowMs: number): void {
    // Whether it is needed now or not: what has passed before a clock is set back has passed.
    this.#time.read(nowMs);
    if (this.queued === 0 || this.active >= this.#limit) return;
    this.#dropOverdue(nowMs);
    while (this.queued > 0 && this.active < this.#limit) {
      const waiter = this.#next(nowMs);
      if (waiter === undefined) return;
      this.#remove(waiter);
      if (waiter.deadlineMs <= nowMs) waiter.refuse('deadline', nowMs);
      else {
        // Taken before anybody is told: what the waiter does in answer finds the slot gone.
        this.active++;
        waiter.admit(nowMs);
      }
    }
  }

  #next(nowMs: number): Waiter | undefined {
    const last = this.#settings.order === 'lifo' || this.#isOverloaded(nowMs);
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

  /** Those who have waited too long. What may be waited is asked first: once they have left, nothing is overloaded any more. */
  #dropOverdue(nowMs: number): void {
    if (this.queued === 0) return;
    const sinceMs = this.#time.read(nowMs) - this.maxWaitMs(nowMs);
    if (sinceMs === Number.NEGATIVE_INFINITY) return;
    let overdue: Waiter[] | undefined;
    for (const [waiter, fromMs] of this.#waiting ?? []) {
      if (fromMs >= sinceMs) break;
      overdue ??= [];
      overdue.push(waiter);
    }
    if (overdue === undefined) return;
    for (const waiter of overdue) this.#remove(waiter);
    for (const waiter of overdue) waiter.refuse(waiter.deadlineMs <= nowMs ? 'deadline' : 'timeout', nowMs);
  }

  /** Those whose deadline is over. Looks at all, so only where room is needed. */
  #dropExpired(nowMs: number): void {
    if (nowMs < this.#earliestMs) return;
    const expired = [...(this.#waiting?.keys() ?? [])].filter(({ deadlineMs }) => deadlineMs <= nowMs);
    for (const waiter of expired) this.#remove(waiter);
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#waiting?.keys() ?? []) this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    for (const waiter of expired) waiter.refuse('deadline', nowMs);
  }

  #queueOf(priority: number): WaitList<Waiter> {
    this.#queues ??= CRITICALITIES.map(() => new WaitList<Waiter>());
    return this.#queues[priority] as WaitList<Waiter>;
  }

  #remove(waiter: Waiter): void {
    this.#queueOf(waiter.priority).remove(waiter);
    this.#waiting?.delete(waiter);
    this.queued--;
  }
}
