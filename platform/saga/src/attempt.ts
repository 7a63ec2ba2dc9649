import { type Context, kernelErrors, type TraceContext } from '@souk/kernel';
import type { Ending } from './ending.ts';
import { classify, type Outcome, toJson } from './outcome.ts';
import type { Watch } from './watch.ts';

export interface AttemptOptions {
  readonly name: string;
  readonly key: string;
  readonly timeoutMs: number;
  readonly trace: TraceContext;
  /** Ends it early. */
  readonly ending: Ending;
  readonly watch: Watch;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
}

/**
 * One attempt under its own deadline and idempotency key. A step that does not heed the signal is left alone when its time is over:
 * its outcome is unknown, and what it answers later is dropped.
 */
export function attempt(
  parent: Context,
  options: AttemptOptions,
  work: (ctx: Context) => Promise<unknown>,
): Promise<Outcome> {
  const { name, key, timeoutMs, trace, ending, watch, nowMs } = options;
  if (ending.ended) return Promise.resolve(classify(ending.signal.reason));
  const ctx = parent.with({ timeoutMs, signal: ending.signal, idempotencyKey: key, trace });
  return new Promise((resolve) => {
    const settle = (outcome: Outcome): void => {
      offWatch();
      offEnd();
      ctx[Symbol.dispose]();
      resolve(outcome);
    };
    const fail = (thrown: unknown): void => settle(classify(thrown));
    const offWatch = watch.at(nowMs + timeoutMs, () => fail(kernelErrors.DEADLINE_EXCEEDED()));
    const offEnd = ending.onEnd(fail);
    const succeed = (result: unknown): void => {
      try {
        settle({ is: 'done', result: toJson(name, result) });
      } catch (thrown) {
        fail(thrown);
      }
    };
    try {
      work(ctx).then(succeed, fail);
    } catch (thrown) {
      fail(thrown);
    }
  });
}
