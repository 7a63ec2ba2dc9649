import type { BreakerTransition } from './breaker-types.ts';

/** Is told of decisions as they are made. What is left out costs nothing; what throws breaks no call. */
export interface PolicyListener {
  onTransition?(event: { readonly policy: string } & BreakerTransition): void;
  onRetry?(event: {
    readonly policy: string;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: unknown;
  }): void;
  onFallback?(event: { readonly policy: string; readonly error: unknown; readonly failed: boolean }): void;
}

/** The listener, such that what it throws is lost and breaks nothing. */
export function guarded(listener: PolicyListener): PolicyListener {
  const guard = <E>(tell: ((event: E) => void) | undefined) =>
    tell &&
    ((event: E): void => {
      try {
        tell.call(listener, event);
      } catch {
        // A call must not fail because somebody wanted to hear of it.
      }
    });
  const { onTransition, onRetry, onFallback } = listener;
  const guards = { onTransition: guard(onTransition), onRetry: guard(onRetry), onFallback: guard(onFallback) };
  return Object.fromEntries(Object.entries(guards).filter(([, tell]) => tell !== undefined));
}
