import type { Context, Runtime } from '@souk/kernel';
import type { MachineState } from './machine.ts';
import type { SagaStatus } from './sagas.ts';

/** Those who wait for the ends of sagas. */
export interface Waiters {
  /** @returns undefined when there is no such saga */
  wait(ctx: Context, id: string): Promise<SagaStatus | undefined>;
  /** A saga was let go of by this process. */
  left(id: string, state: MachineState): void;
}

const RESTING: ReadonlySet<SagaStatus> = new Set(['COMPLETED', 'COMPENSATED', 'TERMINATED', 'STUCK']);

/**
 * @param options.runs Whether the saga runs in this process: then its end is heard of, and nothing is asked.
 * @param options.lookUp Asked each `pollMs` about a saga that does not.
 */
export function createWaiters(options: {
  readonly runtime: Runtime;
  readonly pollMs: number;
  readonly runs: (id: string) => boolean;
  readonly lookUp: (ctx: Context, id: string) => Promise<SagaStatus | undefined>;
}): Waiters {
  const waiting = new Map<string, Set<(status: SagaStatus | undefined) => void>>();

  /** Resolves when the saga is let go of here, with how it ended if it did, or when `ctx` or the time is over. */
  const news = (ctx: Context, id: string, withinMs: number | undefined): Promise<SagaStatus | undefined> =>
    new Promise((resolve) => {
      const signal = ctx.deadlineMs === Number.POSITIVE_INFINITY ? ctx.cancellation : ctx.signal;
      const all = waiting.get(id) ?? new Set();
      waiting.set(id, all);
      const done = (status: SagaStatus | undefined): void => {
        all.delete(done);
        if (all.size === 0 && waiting.get(id) === all) waiting.delete(id);
        timer?.cancel();
        signal?.removeEventListener('abort', over);
        resolve(status);
      };
      const over = (): void => done(undefined);
      const timer = withinMs === undefined ? undefined : options.runtime.timers.after(withinMs, over);
      signal?.addEventListener('abort', over, { once: true });
      all.add(done);
    });

  return {
    wait: async (ctx, id) => {
      for (;;) {
        ctx.throwIfDone();
        const here = options.runs(id);
        if (!here) {
          const status = await options.lookUp(ctx, id);
          if (status === undefined || RESTING.has(status)) return status;
        }
        const status = await news(ctx, id, here ? undefined : options.pollMs);
        if (status !== undefined) return status;
      }
    },
    left: (id, state) => {
      const status = state.end ?? (state.phase === 'stuck' ? 'STUCK' : undefined);
      for (const done of [...(waiting.get(id) ?? [])]) done(status);
    },
  };
}
