import type { Clock, Timer, Timers } from './time.ts';

export const systemClock = (): Clock => ({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
});

/** `setTimeout` fires at once for delays beyond this. */
const LONGEST_DELAY_MS = 2_147_483_647;

export const systemTimers = (): Timers => ({
  after: (delayMs, run) => after(delayMs, run),
  every,
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
});

function after(delayMs: number, run: () => void): Timer {
  let handle: NodeJS.Timeout;
  const wait = (restMs: number): void => {
    const stepMs = Math.min(restMs, LONGEST_DELAY_MS);
    handle = setTimeout(() => (restMs > stepMs ? wait(restMs - stepMs) : run()), stepMs).unref();
  };
  wait(delayMs);
  return { cancel: () => clearTimeout(handle) };
}

function every(intervalMs: number, run: () => void): Timer {
  if (intervalMs <= LONGEST_DELAY_MS) {
    const handle = setInterval(run, intervalMs).unref();
    return { cancel: () => clearInterval(handle) };
  }
  let current: Timer;
  const again = () => {
    current = after(intervalMs, again);
    run();
  };
  current = after(intervalMs, again);
  return { cancel: () => current.cancel() };
}
