import { resilienceErrors } from './errors.ts';

/** One that is forgotten must not isolate a target for ever. Milliseconds. */
export const MAX_OVERRIDE_MS = 7 * 24 * 3_600_000;

/** Who wants a breaker open or closed whatever it sees, why, and for how long. Nobody may want it for ever. */
export interface Override {
  readonly owner: string;
  readonly reason: string;
  /** Above 0, at most seven days. */
  readonly ttlMs: number;
}

export interface OverrideView {
  readonly owner: string;
  readonly reason: string;
  readonly wants: 'open' | 'closed';
  readonly leftMs: number;
}

interface Held {
  readonly reason: string;
  readonly untilMs: number;
}

/**
 * What operators want of one breaker: each owner their own, so that one who is done takes nothing away from another.
 * Who wants it open wins: they have seen harm.
 */
export class Overrides {
  readonly #open = new Map<string, Held>();
  readonly #closed = new Map<string, Held>();

  /** @throws RESILIENCE_BAD_OPTION when nobody wants it, for no reason, or for ever. */
  hold(wants: 'open' | 'closed', by: Override, nowMs: number): void {
    check(by);
    const held = wants === 'open' ? this.#open : this.#closed;
    held.set(by.owner, { reason: by.reason, untilMs: nowMs + by.ttlMs });
  }

  release(owner: string): void {
    this.#open.delete(owner);
    this.#closed.delete(owner);
  }

  /** Lets go of those whose time is over. @returns When the first of the others ends; `Infinity` when there is none. */
  prune(nowMs: number): number {
    let firstMs = Number.POSITIVE_INFINITY;
    for (const held of [this.#open, this.#closed])
      for (const [owner, { untilMs }] of held) {
        if (nowMs >= untilMs) held.delete(owner);
        else firstMs = Math.min(firstMs, untilMs);
      }
    return firstMs;
  }

  /** Pure. */
  wanted(nowMs: number): 'FORCED_OPEN' | 'FORCED_CLOSED' | undefined {
    if (leftMs(this.#open, nowMs) > 0) return 'FORCED_OPEN';
    return leftMs(this.#closed, nowMs) > 0 ? 'FORCED_CLOSED' : undefined;
  }

  /** Pure. Milliseconds until the last of those who want it open lets go. */
  openForMs(nowMs: number): number {
    return leftMs(this.#open, nowMs);
  }

  /** Pure. Those whose time is not over. */
  view(nowMs: number): readonly OverrideView[] {
    const list = (held: ReadonlyMap<string, Held>, wants: 'open' | 'closed') =>
      [...held]
        .filter(([, { untilMs }]) => nowMs < untilMs)
        .map(([owner, { reason, untilMs }]) => ({ owner, reason, wants, leftMs: untilMs - nowMs }));
    return [...list(this.#open, 'open'), ...list(this.#closed, 'closed')];
  }
}

function leftMs(held: ReadonlyMap<string, Held>, nowMs: number): number {
  let left = 0;
  for (const { untilMs } of held.values()) left = Math.max(left, untilMs - nowMs);
  return left;
}

function check({ owner, reason, ttlMs }: Override): void {
  const refuse = (part: string, want: string, got: unknown): never => {
    throw resilienceErrors.BAD_OPTION({ option: `override.${part}`, want, got: String(got) });
  };
  if (!owner) refuse('owner', 'who wants it', owner);
  if (!reason) refuse('reason', 'why it is wanted', reason);
  if (!(ttlMs > 0 && ttlMs <= MAX_OVERRIDE_MS))
    refuse('ttlMs', `milliseconds above 0, at most ${MAX_OVERRIDE_MS}`, ttlMs);
}
