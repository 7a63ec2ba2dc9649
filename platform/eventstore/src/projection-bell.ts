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
  let wake = (): void => {};
  return {
    ring: () => {
      rang = true;
      wake();
    },
    rest: async (longestMs) => {
      if (!rang && longestMs > 0) {
        await new Promise<void>((resolve) => {
          const timer = timers.after(longestMs, resolve);
          wake = () => {
            timer.cancel();
            resolve();
          };
        });
        wake = () => {};
      }
      rang = false;
    },
  };
}
