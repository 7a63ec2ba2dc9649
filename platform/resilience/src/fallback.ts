import type { Clock } from '@souk/kernel';
import { atLeast, oneOf } from './check-option.ts';
import { resilienceErrors } from './errors.ts';
import type { Outcome } from './outcome.ts';
import type { TimerWheel, WheelEntry } from './timer-wheel.ts';

/** What is known when a fallback is asked. */
export interface FallbackCall {
  readonly error: unknown;
  readonly outcome: Outcome;
}

export type FallbackOn = 'failure' | 'throttled' | 'rejected';

interface FallbackRules {
  /** The ends that it stands in for; never a caller's fault, and never for a caller that has gone. @default all three */
  readonly on?: readonly FallbackOn[];
}

/** What is answered in place of an error. Not for money and stock: there "unknown" is the honest answer. */
export type FallbackOptions<F> = FallbackRules &
  (
    | { readonly value: F }
    /** Must not call what has just failed. `timeoutMs`: milliseconds that it may take, 1000 when left out. */
    | { readonly run: (call: FallbackCall) => F | PromiseLike<F>; readonly timeoutMs?: number }
    /** The last good answer of the call's `key`, if it is not older than this many milliseconds. */
    | { readonly lastGoodMs: number; readonly maxKeys?: number }
  );

/** Answers in place of a call. */
export interface Fallback<F> {
  appliesTo(outcome: Outcome): boolean;
  /** @throws when there is no answer: then the call fails with its own error, and this one as the cause of it */
  answer(call: FallbackCall, key: string | undefined, nowMs: number): PromiseLike<F>;
  /** Notes an answer of the call itself. */
  noteGood(value: unknown, key: string | undefined, nowMs: number): void;
}

const ALL: readonly FallbackOn[] = ['failure', 'throttled', 'rejected'];

/** @throws RESILIENCE_BAD_OPTION */
export function createFallback<F>(
  options: FallbackOptions<F>,
  deps: { readonly policy: string; readonly wheel: TimerWheel; readonly clock: Clock },
): Fallback<F> {
  const on: readonly Outcome[] = (options.on ?? ALL).map((outcome) => oneOf('fallback.on', outcome, ALL));
  const appliesTo = (outcome: Outcome): boolean => on.includes(outcome);
  if ('lastGoodMs' in options) return { appliesTo, ...lastGood<F>(options.lastGoodMs, options.maxKeys, deps.policy) };
  if ('value' in options) return { appliesTo, noteGood: () => {}, answer: async () => options.value };
  const timeoutMs = atLeast('fallback.timeoutMs', options.timeoutMs ?? 1000, 0);
  return {
    appliesTo,
    noteGood: () => {},
    answer: (call) => within(Promise.resolve(call).then(options.run), timeoutMs, deps),
  };
}

function within<F>(
  work: Promise<F>,
  timeoutMs: number,
  deps: { readonly policy: string; readonly wheel: TimerWheel; readonly clock: Clock },
): Promise<F> {
  return new Promise((resolve, reject) => {
    const entry: WheelEntry = {
      ...{ wheelDueTick: -1, wheelNext: undefined, wheelPrevious: undefined },
      onDue: () => reject(resilienceErrors.TIMED_OUT({ policy: deps.policy, scope: 'fallback', ms: timeoutMs })),
    };
    const nowMs = deps.clock.monotonicMs();
    deps.wheel.add(entry, nowMs + timeoutMs, nowMs);
    work.finally(() => deps.wheel.remove(entry)).then(resolve, reject);
  });
}

function lastGood<F>(maxAgeMs: number, maxKeys = 1000, policy: string): Pick<Fallback<F>, 'answer' | 'noteGood'> {
  const kept = new Map<string, { readonly value: F; readonly atMs: number }>();
  return {
    noteGood: (value, key = '', nowMs) => {
      kept.delete(key);
      kept.set(key, { value: value as F, atMs: nowMs });
      if (kept.size <= maxKeys) return;
      const [oldest] = kept.keys();
      if (oldest !== undefined) kept.delete(oldest);
    },
    answer: async (_, key = '', nowMs) => {
      const found = kept.get(key);
      if (found === undefined || nowMs - found.atMs > maxAgeMs) throw resilienceErrors.NO_LAST_GOOD({ policy });
      return found.value;
    },
  };
}
