import type { Runtime, Timer } from '@souk/kernel';

/** Calls back at a time unless it is called off before. */
export interface Watch {
  /** @param atMs Monotonic milliseconds. @returns calls it off */
  at(atMs: number, run: () => void): () => void;
}

interface Watched {
  readonly atMs: number;
  readonly run: () => void;
}

/**
 * One timer for all time limits of a worker: nearly every attempt ends long before its limit, and a timer of its own would cost more
 * than many a step.
 */
export function createWatch({ clock, timers }: Pick<Runtime, 'clock' | 'timers'>): Watch {
  const watched = new Set<Watched>();
  let armedFor = Number.POSITIVE_INFINITY;
  let timer: Timer | undefined;

  const arm = (atMs: number): void => {
    timer?.cancel();
    armedFor = atMs;
    timer = timers.after(Math.max(0, atMs - clock.monotonicMs()), fire);
  };
  const fire = (): void => {
    armedFor = Number.POSITIVE_INFINITY;
    timer = undefined;
    const nowMs = clock.monotonicMs();
    const due = [...watched].filter((one) => one.atMs <= nowMs);
    for (const one of due) watched.delete(one);
    let next = Number.POSITIVE_INFINITY;
    for (const { atMs } of watched) next = Math.min(next, atMs);
    if (next !== Number.POSITIVE_INFINITY) arm(next);
    for (const one of due) one.run();
  };

  return {
    at: (atMs, run) => {
      if (atMs === Number.POSITIVE_INFINITY) return () => {};
      const one: Watched = { atMs, run };
      watched.add(one);
      if (atMs < armedFor) arm(atMs);
      return () => void watched.delete(one);
    },
  };
}
