import type { Context, Runtime } from '@souk/kernel';
import type { PositionedOrder } from '../store/order-view.ts';

/** Lets a request wait until an order is decided. Told by this process when it commits the outcome; asks the database otherwise. */
export interface OutcomeWaiters {
  /** To be called after the commit of every change. */
  changed(order: PositionedOrder): void;
  /**
   * @param load Reads the order as it is now.
   * @param known The order as this process has just committed it: saves the first look.
   * @returns the order once it is no longer PLACED, or as it is when `maxMs` are over
   */
  wait(
    ctx: Context,
    orderId: string,
    maxMs: number,
    load: () => Promise<PositionedOrder>,
    known?: PositionedOrder,
  ): Promise<PositionedOrder>;
}

/** Gap between looks at the database, for outcomes that another process committed. */
const POLL_MS = 500;

export function createOutcomeWaiters(runtime: Runtime): OutcomeWaiters {
  const waiting = new Map<string, Set<(order: PositionedOrder) => void>>();

  const heard = (
    orderId: string,
    maxMs: number,
    signal: AbortSignal,
  ): { next: Promise<PositionedOrder | undefined>; stop(): void } => {
    const { promise, resolve } = Promise.withResolvers<PositionedOrder | undefined>();
    const listeners = waiting.get(orderId) ?? new Set();
    waiting.set(orderId, listeners.add(resolve));
    const timer = runtime.timers.after(maxMs, () => resolve(undefined));
    // Whoever gave up is told by the next look at the database; a rejection here could come while nobody awaits it.
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    const stop = () => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      listeners.delete(resolve);
      if (listeners.size === 0) waiting.delete(orderId);
    };
    return { next: promise, stop };
  };

  return {
    changed: (order) => {
      if (order.status === 'PLACED') return;
      for (const resolve of waiting.get(order.id) ?? []) resolve(order);
    },
    wait: async (ctx, orderId, maxMs, load, known) => {
      const untilMs = runtime.clock.monotonicMs() + maxMs;
      let fresh = known;
      for (;;) {
        // Listen before looking: an outcome between the two would be missed the other way round.
        const leftMs = untilMs - runtime.clock.monotonicMs();
        const { next, stop } = heard(orderId, Math.max(0, Math.min(POLL_MS, leftMs)), ctx.signal);
        try {
          const order = fresh ?? (await load());
          fresh = undefined;
          if (order.status !== 'PLACED' || leftMs <= 0) return order;
          const outcome = await next;
          if (outcome) return outcome;
          ctx.throwIfDone();
        } finally {
          stop();
        }
      }
    },
  };
}
