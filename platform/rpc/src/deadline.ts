import { fromUnknown, kernelErrors, type Runtime } from '@souk/kernel';

/**
 * Waits for work, but no longer than until its time is over or its caller gives up. What the work does after that is ignored; its
 * context tells it to stop.
 * @throws SOUK_DEADLINE_EXCEEDED, SOUK_CANCELED
 */
export function withinDeadline<T>(
  runtime: Runtime,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = Number.isFinite(timeoutMs)
      ? runtime.timers.after(timeoutMs, () => end(() => reject(kernelErrors.DEADLINE_EXCEEDED())))
      : undefined;
    const onAbort = () => end(() => reject(canceled(signal?.reason)));
    const end = (settle: () => void): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    work.then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    );
  });
}

const canceled = (reason: unknown) => {
  const error = fromUnknown(reason);
  return error.reason === 'SOUK_INTERNAL' ? kernelErrors.CANCELED({}, { cause: reason }) : error;
};
