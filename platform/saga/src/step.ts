import type { Context, Runtime } from '@souk/kernel';
import type { Outcome } from './outcome.ts';
import type { SagaHandle } from './saga-handle.ts';
import type { SagaTelemetry } from './saga-telemetry.ts';

/** Longest pause that a saga keeps its owner for, in milliseconds; for longer ones it is let go until its time. */
export const SHORT_PAUSE_MS = 1_000;

/** What running a saga needs. */
export interface RunnerEnv {
  readonly runtime: Runtime;
  readonly telemetry: SagaTelemetry;
  /** What the service gave to `bind`. */
  readonly deps: unknown;
  /** Begin nothing more: the engine is stopping. */
  readonly stopping: AbortSignal;
  /** Abort what runs: the lease is lost or the time to stop is over. */
  readonly abort: AbortSignal;
}

/** Runs one attempt inside its span. */
export async function measured(
  ctx: Context,
  handle: SagaHandle,
  env: RunnerEnv,
  step: string,
  number: number,
  work: (ctx: Context) => Promise<Outcome>,
): Promise<Outcome> {
  const span = env.telemetry.beginStep(ctx, handle, step, number);
  const beganMs = env.runtime.clock.monotonicMs();
  const outcome = await work(ctx.with({ trace: span.trace }));
  env.telemetry.endStep(span, handle, step, outcome, (env.runtime.clock.monotonicMs() - beganMs) / 1_000);
  return outcome;
}

/** Waits, but not beyond the signal. */
export async function pause(env: RunnerEnv, delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return;
  try {
    await env.runtime.timers.sleep(delayMs, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Calls what a definition holds: the types of its input, results and dependencies were checked where it was declared. */
export function call(run: unknown, ctx: Context, about: object, deps: unknown): Promise<unknown> {
  return (run as (ctx: Context, about: object, deps: unknown) => Promise<unknown>)(ctx, about, deps);
}
