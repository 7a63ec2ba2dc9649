import { fromUnknown, kernelErrors, type Runtime, type Timer } from '@souk/kernel';

/** The deadlines of calls in flight. */
export interface Deadlines {
  /**
   * Waits for work, but no longer than until its time is over or its caller gives up. What the work does after that is ignored; its
   * context tells it to stop.
   * @param timeoutMs Milliseconds; `Infinity`: no limit.
   * @throws SOUK_DEADLINE_EXCEEDED, SOUK_CANCELED
   */
  within<T>(timeoutMs: number, signal: AbortSignal | undefined, work: Promise<T>): Promise<T>;
}

interface Waiting {
  readonly dueMs: number;
  readonly onDue: () => void;
}

/**
 * One timer serves all calls: hardly a deadline is ever reached, so a timer for each would be made and cancelled for nothing. It stands
 * at the earliest deadline there was since it last rang, and is gone when no call waits.
 */
export function createDeadlines(runtime: Runtime): Deadlines {
  const { clock, timers } = runtime;
  const waiting = new Set<Waiting>();
  let timer: Timer | undefined;
  let rings = Number.POSITIVE_INFINITY;

  const disarm = (): void => {
    timer?.cancel();
    timer = undefined;
    rings = Number.POSITIVE_INFINITY;
  };
  const arm = (dueMs: number, nowMs: number): void => {
    timer?.cancel();
    rings = dueMs;
    timer = timers.after(dueMs - nowMs, ring);
  };
  const ring = (): void => {
    disarm();
    const nowMs = clock.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    const due: Waiting[] = [];
    for (const call of waiting) {
      if (call.dueMs <= nowMs) due.push(call);
      else next = Math.min(next, call.dueMs);
    }
    for (const call of due) waiting.delete(call);
    if (next !== Number.POSITIVE_INFINITY) arm(next, nowMs);
    for (const call of due) call.onDue();
  };
  const add = (timeoutMs: number, onDue: () => void): Waiting => {
    const nowMs = clock.monotonicMs();
    const call = { dueMs: nowMs + timeoutMs, onDue };
    waiting.add(call);
    if (call.dueMs < rings) arm(call.dueMs, nowMs);
    return call;
  };

  return {
    within: (timeoutMs, signal, work) =>
      new Promise((resolve, reject) => {
        const onAbort = (): void => {
          leave();
          reject(canceled(signal?.reason));
        };
        const call = Number.isFinite(timeoutMs)
          ? add(timeoutMs, () => {
              leave();
              reject(kernelErrors.DEADLINE_EXCEEDED());
            })
          : undefined;
        const leave = (): void => {
          if (call !== undefined && waiting.delete(call) && waiting.size === 0) disarm();
          signal?.removeEventListener('abort', onAbort);
        };
        if (signal?.aborted) return onAbort();
        signal?.addEventListener('abort', onAbort, { once: true });
        work.then(
          (value) => {
            leave();
            resolve(value);
          },
          (error) => {
            leave();
            reject(error);
          },
        );
      }),
  };
}

const canceled = (reason: unknown) => {
  const error = fromUnknown(reason);
  return error.reason === 'SOUK_INTERNAL' ? kernelErrors.CANCELED({}, { cause: reason }) : error;
};
