import type { Context, Runtime } from '@souk/kernel';
import { attempt } from './attempt.ts';
import type { AnyDefinition, AnyStep, Known } from './definition.ts';
import { createEnding, type Ending } from './ending.ts';
import { inputOf, type MachineState } from './machine.ts';
import type { Outcome } from './outcome.ts';
import type { SagaHandle } from './saga-handle.ts';
import type { SagaTelemetry } from './saga-telemetry.ts';
import type { StartInit } from './start.ts';
import type { SagaStart, SignalRow } from './storage.ts';
import type { Watch } from './watch.ts';

/** Longest pause that a saga keeps its owner for, in milliseconds; for longer ones it is let go until its time. */
export const SHORT_PAUSE_MS = 1_000;
/** Stands for "until a signal comes": the year 9999. */
export const NO_TIME = 253_402_300_799_000;

/** What running sagas needs, the same for all of a lease. */
export interface RunnerEnv {
  readonly runtime: Runtime;
  readonly telemetry: SagaTelemetry;
  readonly watch: Watch;
  /** What the service gave to `bind`. */
  readonly deps: unknown;
  /** Begin nothing more: the engine is stopping. */
  readonly stopping: AbortSignal;
  /** Ends what runs: the lease is lost or the time to stop is over. */
  readonly abort: Ending;
  startOf(definition: AnyDefinition, init: StartInit): { readonly start: SagaStart };
}

/** One saga that runs here. */
export interface SagaRun {
  readonly ctx: Context;
  readonly handle: SagaHandle;
  readonly env: RunnerEnv;
  /** Ends the attempts of steps: the saga turns back, or `env.abort` ended. Undos go on until the latter. */
  forward: Ending;
  /** Takes `forward` off the list of `env.abort`. */
  offAbort: () => void;
  /** What operators want done; each is looked at between two attempts. */
  readonly actions: SignalRow[];
  /** Called when a signal was taken or an action has come. */
  onNews: (() => void) | undefined;
}

/** Steps may be attempted, again: what was to end those before may have been answered by a refusal. */
export function reopenForward(run: Pick<SagaRun, 'env' | 'forward' | 'offAbort'>): void {
  const { abort } = run.env;
  const forward = createEnding();
  run.offAbort();
  run.offAbort = abort.onEnd((reason) => forward.end(reason));
  if (abort.ended) forward.end(abort.signal.reason);
  run.forward = forward;
}

/** One attempt inside its span. */
export async function measured(
  { ctx, handle, env }: SagaRun,
  step: string,
  number: number,
  about: { readonly key: string; readonly timeoutMs: number; readonly ending: Ending },
  work: (ctx: Context) => Promise<unknown>,
): Promise<Outcome> {
  const { watch } = env;
  const { clock } = env.runtime;
  const span = env.telemetry.beginStep(ctx, handle, step, number);
  const nowMs = clock.monotonicMs();
  const { key, timeoutMs, ending } = about;
  const outcome = await attempt(ctx, { name: step, key, timeoutMs, ending, watch, nowMs, trace: span.trace }, work);
  env.telemetry.endStep(span, handle, step, outcome, (clock.monotonicMs() - nowMs) / 1_000);
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

/** What conditions, timers and inputs may look at. */
export const known = (state: MachineState, sagaId: string, step: string): Known<never, never> => ({
  sagaId,
  input: inputOf(state, step) as never,
  results: state.results as never,
});

/** True when the step is to be done. What began is not asked about again. */
export const isWanted = (state: MachineState, sagaId: string, { name, when }: AnyStep): boolean =>
  when === undefined || name in state.waits || name in state.childEnds || when(known(state, sagaId, name));

/** The same where a condition that throws must not: it is asked again before the step runs, and what it throws is reported then. */
export function mayBeWanted(state: MachineState, sagaId: string, step: AnyStep): boolean {
  try {
    return isWanted(state, sagaId, step);
  } catch {
    return false;
  }
}

/** Calls what a definition holds: the types of its input, results and dependencies were checked where it was declared. */
export function call(run: unknown, ctx: Context, about: object, deps: unknown): Promise<unknown> {
  return (run as (ctx: Context, about: object, deps: unknown) => Promise<unknown>)(ctx, about, deps);
}
