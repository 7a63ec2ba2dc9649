import type { Runtime, Timer } from '@souk/kernel';

/** Who has to be heard of in time. */
export interface Leases {
  /** From now on it has to be heard of every `ttlMs` milliseconds. */
  arm(id: string, ttlMs: number): void;
  /** It was heard of. */
  renew(id: string): void;
  drop(id: string): void;
  /** Whether it was heard of in time; false when nobody armed it. */
  isLive(id: string): boolean;
  readonly size: number;
  stop(): void;
}

interface Lease {
  readonly ttlMs: number;
  deadlineMs: number;
  /** Its end was told; nothing more to say until it is heard of. */
  lapsed: boolean;
}

/** One look at all of them is cheaper than a timer for each, which every heartbeat would have to move. */
const LOOK_EVERY_MS = 250;
/** A lease whose own watcher was late by this part of its time says nothing about who holds it. */
const LATE = 1 / 3;

/**
 * @param options.onLapse Gets those that were not heard of in time, all that are found in one look.
 * @param options.onLate Told that this process itself stood still, in milliseconds: leases got their full time again.
 */
export function createLeases(options: {
  readonly runtime: Runtime;
  readonly onLapse: (ids: readonly string[]) => void;
  readonly onLate: (lateMs: number) => void;
}): Leases {
  const { runtime, onLapse, onLate } = options;
  const leases = new Map<string, Lease>();
  let lookedMs = runtime.clock.monotonicMs();

  const look = (): void => {
    const nowMs = runtime.clock.monotonicMs();
    const lateMs = nowMs - lookedMs - LOOK_EVERY_MS;
    lookedMs = nowMs;
    const lapsed: string[] = [];
    let rearmed = false;
    for (const [id, lease] of leases) {
      if (lease.lapsed) continue;
      if (lateMs > lease.ttlMs * LATE) {
        // Heartbeats may be waiting behind this very look.
        lease.deadlineMs = nowMs + lease.ttlMs;
        rearmed = true;
      } else if (nowMs >= lease.deadlineMs) {
        lease.lapsed = true;
        lapsed.push(id);
      }
    }
    if (rearmed) onLate(lateMs);
    if (lapsed.length > 0) onLapse(lapsed);
  };

  const timer: Timer = runtime.timers.every(LOOK_EVERY_MS, look);
  const renew = (id: string): void => {
    const lease = leases.get(id);
    if (lease === undefined) return;
    lease.deadlineMs = runtime.clock.monotonicMs() + lease.ttlMs;
    lease.lapsed = false;
  };
  return {
    arm: (id, ttlMs) => {
      leases.set(id, { ttlMs, deadlineMs: runtime.clock.monotonicMs() + ttlMs, lapsed: false });
    },
    renew,
    drop: (id) => void leases.delete(id),
    isLive: (id) => leases.get(id)?.lapsed === false,
    get size() {
      return leases.size;
    },
    stop: () => timer.cancel(),
  };
}
