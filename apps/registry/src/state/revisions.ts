import type { Timers } from '@souk/kernel';

/**
 * Counts changes, and tells for each thing that can be watched (a _resource_) when it last changed.
 *
 * A resource is a text `kind:name`, or a bare `kind` where there is one only: `service:web`, `services`, `kv:app/color`. Its index is the
 * revision that last touched it. Indexes never go backwards while the process runs, and are at least 1: clients take 0 for "start over".
 */
export interface Revisions {
  /** The newest revision. The first change of an empty registry is number 2. */
  readonly current: number;
  /** The number of a change that is about to happen: one per change, whatever it touches. */
  next(): number;
  /** When the resource last changed. A resource that was never touched has 1, or after a restart the revision of the restart. */
  indexOf(resource: string): number;
  /**
   * Says that revision `rev` changed the resource, and wakes those who wait for it. They go on after the code that runs now has ended, so they
   * see all of a change.
   */
  touch(resource: string, rev: number): void;
  /**
   * Says that revision `rev` took the resource away. As `touch`, but its index may be forgotten once many others (10,000) have gone after it:
   * from then on every resource of the same kind that is not known counts as changed at that time.
   */
  retire(resource: string, rev: number): void;
  /**
   * Has the index of all resources of a kind computed rather than kept, for resources that are too many to touch one by one (prefixes of
   * keys). `touch` still wakes; see {@link waiting}. What `indexOf` computes must never go backwards.
   */
  compute(kind: string, indexOf: (name: string) => number): void;
  /** Names of the resources of a kind that somebody waits for now. */
  waiting(kind: string): Iterable<string>;
  /**
   * Resolves when the index of the resource is above `afterIndex`, when `waitMs` milliseconds are over, or when the signal aborts: never
   * throws. Waiter and timer are freed in each case.
   */
  wait(resource: string, afterIndex: number, signal: AbortSignal, waitMs: number): Promise<void>;
  /** How many wait now. */
  readonly waiters: number;
  /** Goes on after a restart: `current` is the newest revision, and everything counts as changed by then. */
  restore(current: number): void;
}

/** As many resources that are gone are remembered one by one. */
const RETIRED = 10_000;

interface Waiter {
  readonly afterIndex: number;
  readonly wake: () => void;
}

export function createRevisions({ timers }: { readonly timers: Timers }): Revisions {
  let current = 1;
  /** What a resource has at least. */
  let floor = 1;
  let count = 0;
  const indexes = new Map<string, number>();
  /** Resources that are gone, the longest gone first. */
  const retired = new Set<string>();
  const kindFloors = new Map<string, number>();
  const computed = new Map<string, (name: string) => number>();
  const waiting = new Map<string, Set<Waiter>>();

  const indexOf = (resource: string): number => {
    const kept = indexes.get(resource);
    if (kept !== undefined && computed.size === 0) return kept;
    const kind = kindOf(resource);
    const compute = computed.get(kind);
    if (compute !== undefined) return Math.max(floor, compute(resource.slice(kind.length + 1)));
    return kept ?? Math.max(floor, kindFloors.get(kind) ?? 1);
  };

  const forgetOldest = (): void => {
    const [oldest] = retired;
    if (oldest === undefined || retired.size <= RETIRED) return;
    retired.delete(oldest);
    kindFloors.set(kindOf(oldest), Math.max(kindFloors.get(kindOf(oldest)) ?? 1, indexes.get(oldest) ?? 1));
    indexes.delete(oldest);
  };

  const touch = (resource: string, rev: number): void => {
    retired.delete(resource);
    if (!(rev < (indexes.get(resource) ?? 0))) indexes.set(resource, rev);
    const waiters = waiting.get(resource);
    if (waiters === undefined) return;
    for (const waiter of waiters) if (waiter.afterIndex < rev) waiter.wake();
  };

  return {
    get current() {
      return current;
    },
    get waiters() {
      return count;
    },
    next: () => ++current,
    indexOf,
    touch,
    retire: (resource, rev) => {
      touch(resource, rev);
      retired.add(resource);
      forgetOldest();
    },
    compute: (kind, compute) => void computed.set(kind, compute),
    waiting: (kind) =>
      [...waiting.keys()].filter((resource) => kindOf(resource) === kind).map((one) => one.slice(kind.length + 1)),
    wait: (resource, afterIndex, signal, waitMs) =>
      new Promise((resolve) => {
        if (signal.aborted || indexOf(resource) > afterIndex) return resolve();
        const waiters = waiting.get(resource) ?? new Set();
        const wake = (): void => {
          if (!waiters.delete(waiter)) return;
          count -= 1;
          if (waiters.size === 0) waiting.delete(resource);
          timer.cancel();
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const waiter: Waiter = { afterIndex, wake };
        const timer = timers.after(waitMs, wake);
        signal.addEventListener('abort', wake, { once: true });
        waiters.add(waiter);
        waiting.set(resource, waiters);
        count += 1;
      }),
    restore: (revision) => {
      current = Math.max(current, revision);
      floor = current;
      indexes.clear();
      retired.clear();
    },
  };
}

const kindOf = (resource: string): string => {
  const end = resource.indexOf(':');
  return end === -1 ? resource : resource.slice(0, end);
};
