import { type Context, isRetryable, type Runtime } from '@souk/kernel';
import { sparedForMs } from './guarded-exchange.ts';

const MOST_SENDS = 3;
const BASE_MS = 100;

/**
 * Asks the provider again under the same key while its answer is missing: up to three times, as long as the time allows, and as long as the
 * provider is not spared: then whoever asked comes back later.
 * @throws the last error
 */
export async function persistently<T>(runtime: Runtime, ctx: Context, ask: () => Promise<T>): Promise<T> {
  for (let send = 1; ; send++) {
    try {
      return await ask();
    } catch (error) {
      const waitMs = BASE_MS * 2 ** (send - 1) * (0.5 + runtime.random.next() / 2);
      if (send >= MOST_SENDS || !isRetryable(error) || sparedForMs(error) !== undefined || waitMs >= ctx.remainingMs())
        throw error;
      await runtime.timers.sleep(waitMs, ctx.signal);
    }
  }
}
