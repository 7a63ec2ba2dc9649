import type { Runtime, Timer } from '@souk/kernel';
import { type BreakerSharingSettings, jittered } from './advice-options.ts';

/*
 * L1 While the store works, only who holds the lease of a key probes, so at most one instance at a time does.
 * L2 A store that fails, or takes too long, holds nobody back: the instance probes by itself, and that is counted.
 * L3 A lease serves the generation it was taken for and no other.
 */

/** Where leases are kept, shared by all instances. Never the dependency that the breaker guards. */
export interface LeaseStore {
  /**
   * Takes the lease in one atomic step: when nobody holds it or its time is over, or for the holder itself when `fence` is higher
   * than the one it holds it with. Times are the store's.
   *
   * @param fence Grows with every lease that this holder asks for.
   * @returns Whether the holder has it now, for `ttlMs`.
   */
  tryAcquire(key: string, holder: string, fence: number, ttlMs: number): Promise<boolean>;
}

export interface ProbeLeaseStats {
  leaseFailures: number;
  /** Probes allowed without a lease, because the store was gone. */
  localProbes: number;
}

export interface ProbeLease {
  /**
   * Whether this instance may begin to probe now. Synchronous; when it does not know yet it says no, asks, and knows soon.
   * @param ttlMs Longest round of probes, in milliseconds.
   */
  mayProbe(generation: number, ttlMs: number, nowMs: number): boolean;
  /** The target is well: others may have a look at once. */
  giveBack(nowMs: number): void;
  /** Milliseconds until it is worth to ask again. */
  retryAfterMs(nowMs: number): number;
}

/** A refused instance asks again so often: short against a round of probes, long against a call to the store. */
const ASK_AGAIN_MS = 1_000;
/** A lease lasts so much longer than a round of probes; the round must begin within it. */
const GRACE_MS = 1_000;
/** For so long the store is believed to be gone. */
const STORE_GONE_MS = 2_000;
const GIVE_BACK_TTL_MS = 1;

export function createProbeLease(deps: {
  readonly key: string;
  readonly holder: string;
  readonly store: LeaseStore;
  readonly settings: BreakerSharingSettings;
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  readonly stats: ProbeLeaseStats;
}): ProbeLease {
  return new StoredLease(deps);
}

class StoredLease implements ProbeLease {
  readonly #deps: Parameters<typeof createProbeLease>[0];
  #held: { readonly generation: number; readonly untilMs: number } | undefined;
  #fence = 0;
  /** The question that is on its way. */
  #asking: object | undefined;
  #askAgainMs = 0;
  #storeGoneUntilMs = 0;

  constructor(deps: Parameters<typeof createProbeLease>[0]) {
    this.#deps = deps;
  }

  mayProbe(generation: number, ttlMs: number, nowMs: number): boolean {
    const held = this.#held;
    // Whoever begins late would still be at it when the lease is over.
    if (held !== undefined && held.generation === generation && nowMs + ttlMs <= held.untilMs) return true;
    if (nowMs < this.#storeGoneUntilMs) {
      this.#deps.stats.localProbes++;
      return true;
    }
    if (this.#asking === undefined && nowMs >= this.#askAgainMs) this.#ask(generation, ttlMs, nowMs);
    return false;
  }

  giveBack(nowMs: number): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (nowMs >= held.untilMs) return;
    // The port knows no release: the same holder takes it again for no time. If that fails the lease ends by itself.
    this.#request(held.generation, GIVE_BACK_TTL_MS).then(undefined, () => this.#deps.stats.leaseFailures++);
  }

  retryAfterMs(nowMs: number): number {
    return Math.max(0, this.#askAgainMs - nowMs);
  }

  #ask(generation: number, ttlMs: number, nowMs: number): void {
    const { settings, runtime, stats } = this.#deps;
    const question = {};
    this.#asking = question;
    this.#askAgainMs = nowMs + jittered(ASK_AGAIN_MS, settings.jitter, runtime.random.next());
    let timer: Timer | undefined;
    const onGone = (): void => {
      timer?.cancel();
      if (this.#asking !== question) return;
      this.#asking = undefined;
      stats.leaseFailures++;
      const now = runtime.clock.monotonicMs();
      this.#storeGoneUntilMs = now + jittered(STORE_GONE_MS, settings.jitter, runtime.random.next());
    };
    timer = runtime.timers.after(settings.leaseTimeoutMs, onGone);
    const leaseMs = ttlMs + GRACE_MS;
    this.#request(generation, leaseMs).then((isOurs) => {
      timer?.cancel();
      if (this.#asking === question) this.#asking = undefined;
      // Counted from before the question, so it ends here before it ends in the store. A late yes is as good: the store holds it for us.
      if (isOurs === true) this.#held = { generation, untilMs: nowMs + leaseMs };
    }, onGone);
  }

  /** Never throws by itself: a store that throws at once is one that fails. */
  async #request(generation: number, ttlMs: number): Promise<boolean> {
    const { store, key, holder } = this.#deps;
    this.#fence = Math.max(generation, this.#fence + 1);
    return store.tryAcquire(key, holder, this.#fence, ttlMs);
  }
}
