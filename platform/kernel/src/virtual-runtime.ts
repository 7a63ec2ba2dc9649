import { createIds } from './ids.ts';
import type { Random } from './random.ts';
import type { Runtime } from './runtime.ts';
import type { Clock, Timer, Timers } from './time.ts';

/** A runtime whose time stands still until it is told to go on, and whose randomness comes from a seed. */
export interface VirtualRuntime extends Runtime {
  /**
   * Moves time on, running every timer that falls due at its own instant, in order, and letting promises settle after each.
   * @param byMs Milliseconds.
   */
  advance(byMs: number): Promise<void>;
  /** Lets promises settle without moving time. */
  settle(): Promise<void>;
  /** Timers that wait. */
  readonly pendingTimers: number;
}

interface VirtualTimer {
  readonly dueMs: number;
  /** Order of creation breaks ties, as it does in the event loop. */
  readonly order: number;
  readonly run: () => void;
}

/**
 * @param options.startAt What the clock says at first, as a date or milliseconds. Default 2026-01-01T00:00:00Z.
 * @param options.seed Same seed, same sequence. Default 1.
 */
export function virtualRuntime(options: { startAt?: string | number; seed?: number } = {}): VirtualRuntime {
  const epochMs = new Date(options.startAt ?? '2026-01-01T00:00:00Z').getTime();
  const waiting = new Set<VirtualTimer>();
  let elapsedMs = 0;
  let order = 0;

  const add = (delayMs: number, run: () => void): Timer => {
    const timer: VirtualTimer = { dueMs: elapsedMs + Math.max(0, delayMs || 0), order: order++, run };
    waiting.add(timer);
    return { cancel: () => void waiting.delete(timer) };
  };

  const timers: Timers = {
    after: add,
    every: (intervalMs, run) => {
      // As with the real one: at a distance of 0, time would never move on.
      const stepMs = Math.max(1, intervalMs);
      let current: Timer;
      const again = () => {
        current = add(stepMs, again);
        run();
      };
      current = add(stepMs, again);
      return { cancel: () => current.cancel() };
    },
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = add(delayMs, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };

  const nextDue = (untilMs: number): VirtualTimer | undefined => {
    let next: VirtualTimer | undefined;
    for (const timer of waiting) {
      if (timer.dueMs > untilMs) continue;
      if (!next || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer;
    }
    return next;
  };

  const clock: Clock = { now: () => epochMs + elapsedMs, monotonicMs: () => elapsedMs };
  const random = seededRandom(options.seed ?? 1);
  return {
    clock,
    timers,
    random,
    ids: createIds(clock, random),
    settle,
    get pendingTimers() {
      return waiting.size;
    },
    advance: async (byMs) => {
      const untilMs = elapsedMs + byMs;
      await settle();
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        waiting.delete(timer);
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        timer.run();
        await settle();
      }
      elapsedMs = untilMs;
    },
  };
}

/** A turn of the event loop runs the whole microtask queue first. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** xorshift128 (Marsaglia 2003), seeded through splitmix32: reproducible, not for secrets. */
export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [x, y, z, w] = [splitmix(), splitmix(), splitmix(), splitmix() || 1];
  const word = (): number => {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return w;
  };
  return {
    next: () => word() / 0x1_0000_0000,
    bytes: (count) => Uint8Array.from({ length: count }, () => word() & 0xff),
  };
}
