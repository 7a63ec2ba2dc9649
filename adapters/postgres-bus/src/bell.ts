import type { Timers } from '@souk/kernel';

/** Lets a loop rest until somebody has something for it. */
export interface Bell {
  /** Wakes the loop now, or keeps it from resting the next time. */
  ring(): void;
  /** Resolves when it rings, at once when it rang since the last rest, and after `longestMs` in any case. */
  rest(longestMs: number): Promise<void>;
}

export function createBell(timers: Timers): Bell {
  let rang = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rang = true;
      wake?.();
    },
    rest: async (longestMs) => {
      if (!rang) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = timers.after(longestMs, resolve);
        wake = resolve;
        await promise;
        timer.cancel();
        wake = undefined;
      }
      rang = false;
    },
  };
}
