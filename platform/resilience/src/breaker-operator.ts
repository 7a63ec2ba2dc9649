/** Who wants a breaker open or closed whatever it sees, why, and for how long. Nobody may want it for ever. */
export interface Override {
  readonly owner: string;
  readonly reason: string;
  readonly ttlMs: number;
}

export interface OverrideView {
  readonly owner: string;
  readonly reason: string;
  readonly leftMs: number;
}

interface Held {
  readonly reason: string;
  readonly untilMs: number;
}

/** What operators want of one breaker: each owner their own, so that one who is done takes nothing away from another. */
export class Overrides {
  readonly #open = new Map<string, Held>();
  #closed: (Held & { readonly owner: string }) | undefined;

  open({ owner, reason, ttlMs }: Override, nowMs: number): void {
    this.#open.set(owner, { reason, untilMs: nowMs + ttlMs });
  }

  close({ owner, reason, ttlMs }: Override, nowMs: number): void {
    this.#closed = { owner, reason, untilMs: nowMs + ttlMs };
  }

  release(owner: string): void {
    this.#open.delete(owner);
    if (this.#closed?.owner === owner) this.#closed = undefined;
  }

  clear(): void {
    this.#open.clear();
    this.#closed = undefined;
  }

  /** Open wins over closed: who isolates has seen harm. */
  wanted(nowMs: number): 'FORCED_OPEN' | 'FORCED_CLOSED' | undefined {
    for (const { untilMs } of this.#open.values()) if (nowMs < untilMs) return 'FORCED_OPEN';
    return this.#closed !== undefined && nowMs < this.#closed.untilMs ? 'FORCED_CLOSED' : undefined;
  }

  /** Milliseconds until the last of those who want it open lets go. */
  openForMs(nowMs: number): number {
    let left = 0;
    for (const { untilMs } of this.#open.values()) left = Math.max(left, untilMs - nowMs);
    return left;
  }

  view(nowMs: number): readonly OverrideView[] {
    const all = [...this.#open].map(([owner, held]) => ({ owner, ...held }));
    if (this.#closed !== undefined) all.push(this.#closed);
    return all
      .filter(({ untilMs }) => nowMs < untilMs)
      .map(({ owner, reason, untilMs }) => ({ owner, reason, leftMs: untilMs - nowMs }));
  }
}
