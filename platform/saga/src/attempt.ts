import type { Context } from '@souk/kernel';
import { classify, type Outcome, toJson } from './outcome.ts';

/**
 * One attempt under its own deadline and idempotency key. A step that does not heed the signal is left alone when its time is over:
 * its outcome is unknown, and what it answers later is dropped.
 */
export async function attempt(
  parent: Context,
  options: { readonly name: string; readonly key: string; readonly timeoutMs: number; readonly signal: AbortSignal },
  work: (ctx: Context) => Promise<unknown>,
): Promise<Outcome> {
  using ctx = parent.with({ timeoutMs: options.timeoutMs, signal: options.signal, idempotencyKey: options.key });
  const { signal } = ctx;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return { is: 'done', result: toJson(options.name, await Promise.race([work(ctx), aborted])) };
  } catch (thrown) {
    return classify(thrown);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
