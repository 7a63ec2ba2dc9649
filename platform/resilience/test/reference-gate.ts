import type { GateRefusal, GateSettings } from '../src/index.ts';

/** A guest in the plain list. */
export interface Entry {
  readonly id: number;
  readonly priority: number;
  readonly deadlineMs: number;
  readonly sinceMs: number;
}

/**
 * What a gate is held to: one array, looked at from end to end each time. Its time is its own: `pass` adds what passed, and a clock that
 * goes back is none of its business. Deadlines are by the clock that the guests know.
 */
export class ReferenceGate {
  settings: GateSettings;
  limit: number;
  active = 0;
  zombies = 0;
  doubleReleases = 0;
  queue: Entry[] = [];
  /** What everybody heard. */
  readonly heard = new Map<number, string>();
  #passedMs = 0;
  #lastEmptyMs = Number.NEGATIVE_INFINITY;

  constructor(settings: GateSettings) {
    this.settings = settings;
    this.limit = settings.limit;
  }

  pass(ms: number): void {
    this.#passedMs += Math.max(0, ms);
  }

  get isOverloaded(): boolean {
    const { order, overloadAfterMs } = this.settings;
    return order === 'adaptive' && this.queue.length > 0 && this.#passedMs - this.#lastEmptyMs >= overloadAfterMs;
  }

  get maxWaitMs(): number {
    const { queueTimeoutMs, overloadWaitMs } = this.settings;
    return this.isOverloaded ? Math.min(queueTimeoutMs, overloadWaitMs) : queueTimeoutMs;
  }

  tryEnter(clockMs: number): boolean {
    this.#serve(clockMs);
    if (this.active >= this.limit || this.queue.length > 0) return false;
    this.active++;
    return true;
  }

  enqueue(id: number, priority: number, deadlineMs: number, clockMs: number): GateRefusal | undefined {
    const { queueLimit } = this.settings;
    if (queueLimit === 0) return 'limit';
    if (deadlineMs <= clockMs) return 'deadline';
    this.#dropOverdue(clockMs);
    if (this.queue.length >= queueLimit) this.#drop('deadline', (one) => one.deadlineMs <= clockMs);
    if (this.queue.length >= queueLimit) {
      const worst = Math.max(...this.queue.map((one) => one.priority));
      if (worst <= priority) return 'queue';
      const out = this.queue.filter((one) => one.priority === worst).at(-1);
      this.#drop('queue', (one) => one === out);
    }
    if (this.queue.length === 0) this.#lastEmptyMs = this.#passedMs;
    this.queue.push({ id, priority, deadlineMs, sinceMs: this.#passedMs });
    return undefined;
  }

  leave(id: number): boolean {
    return this.#take((one) => one.id === id).length > 0;
  }

  release(clockMs: number): void {
    if (this.active === 0) {
      this.doubleReleases++;
      return;
    }
    this.active--;
    this.#serve(clockMs);
  }

  zombieDone(): void {
    if (this.zombies === 0) this.doubleReleases++;
    else this.zombies--;
  }

  setLimit(limit: number, clockMs: number): void {
    this.limit = limit;
    this.#serve(clockMs);
  }

  configure(settings: GateSettings, clockMs: number): void {
    this.settings = settings;
    this.setLimit(settings.limit, clockMs);
  }

  #serve(clockMs: number): void {
    if (this.active < this.limit) this.#dropOverdue(clockMs);
    while (this.active < this.limit && this.queue.length > 0) {
      const best = Math.min(...this.queue.map((one) => one.priority));
      const equals = this.queue.filter((one) => one.priority === best);
      const latest = this.settings.order === 'lifo' || this.isOverloaded;
      const chosen = latest ? equals.at(-1) : equals[0];
      if (chosen === undefined) return;
      if (chosen.deadlineMs > clockMs) this.active++;
      this.#drop(chosen.deadlineMs > clockMs ? 'admit' : 'deadline', (one) => one === chosen);
    }
  }

  #dropOverdue(clockMs: number): void {
    const { maxWaitMs } = this;
    for (const one of this.#take((waiting) => this.#passedMs - waiting.sinceMs > maxWaitMs))
      this.heard.set(one.id, one.deadlineMs <= clockMs ? 'deadline' : 'timeout');
  }

  #drop(why: string, which: (one: Entry) => boolean): void {
    for (const { id } of this.#take(which)) this.heard.set(id, why);
  }

  #take(which: (one: Entry) => boolean): Entry[] {
    const taken = this.queue.filter(which);
    this.queue = this.queue.filter((one) => !taken.includes(one));
    if (taken.length > 0 && this.queue.length === 0) this.#lastEmptyMs = this.#passedMs;
    return taken;
  }
}
