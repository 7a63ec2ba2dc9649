import { type Context, isRetryable, type Runtime, type SoukError } from '@souk/kernel';

const MAX_ATTEMPTS = 3;
const BASE_MS = 50;
const LONGEST_MS = 1000;

/**
 * Repeats work that may be repeated: up to three attempts, with full jitter between them, as long as the time allows.
 * @param deadlineMs Monotonic milliseconds at which the call's time is over.
 */
export async function retrying<T>(
  runtime: Runtime,
  ctx: Context,
  deadlineMs: number,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= MAX_ATTEMPTS || !isRetryable(error)) throw error;
      const waitMs = pause(runtime, attempt, error);
      if (runtime.clock.monotonicMs() + waitMs >= deadlineMs) throw error;
      await runtime.timers.sleep(waitMs, ctx.signal);
    }
  }
}

function pause(runtime: Runtime, attempt: number, error: SoukError): number {
  const jitter = runtime.random.next() * Math.min(LONGEST_MS, BASE_MS * 2 ** (attempt - 1));
  // Never earlier than the server asked for; the jitter on top keeps callers apart.
  const asked = error.retry.kind === 'later' ? (error.retry.afterMs ?? 0) : 0;
  return asked + jitter;
}
