import type { Context } from '@souk/kernel';

/** A value that survives JSON: what a saga's input and the results of its steps are made of. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * - `read`: changes nothing.
 * - `compensatable`: has an `undo` that the engine calls in reverse order when the saga turns back.
 * - `pivot`: the point of no return; at most one. Before it a refusal turns the saga back, after it there is only forward.
 * - `retriable`: after the pivot; repeated until it succeeds.
 */
export type StepKind = 'read' | 'compensatable' | 'pivot' | 'retriable';

/** What a step sees. */
export interface StepCall<TInput, TResults> {
  readonly sagaId: string;
  readonly input: TInput;
  /** Results of the steps that are done, by name. */
  readonly results: TResults;
  /** 1 for the first. */
  readonly attempt: number;
}

/** What an undo sees. */
export interface UndoCall<TInput, TResults, TResult> extends StepCall<TInput, TResults> {
  /** What the step returned; undefined when its outcome is unknown: it may or may not have happened. */
  readonly result: TResult | undefined;
}

/**
 * Performs the step. `ctx` carries the deadline of the attempt and the idempotency key `<sagaId>/<step>`, the same for every attempt.
 * A SoukError whose retry is `never` is a refusal, or a defect when its code is `internal`, `unknown`, `data_loss` or `unimplemented`;
 * `later` and `unknownOutcome` are retried. What is returned must survive JSON.
 */
export type StepRun<TDeps, TInput, TResults, TResult> = (
  ctx: Context,
  call: StepCall<TInput, TResults>,
  deps: TDeps,
) => Promise<TResult>;

/** Takes the step back. `ctx` carries the idempotency key `<sagaId>/<step>/undo`. Must accept a step that never happened. */
export type StepUndo<TDeps, TInput, TResults, TResult> = (
  ctx: Context,
  call: UndoCall<TInput, TResults, TResult>,
  deps: TDeps,
) => Promise<unknown>;

export interface RetryOptions {
  /** Attempts in all. Default 5 for read and compensatable, 20 for the pivot; without limit after the point of no return and for undos. */
  readonly attempts?: number;
  /** First delay in milliseconds; doubles per attempt with full jitter. @default 200 */
  readonly firstDelayMs?: number;
  /** Longest delay in milliseconds. @default 30000 */
  readonly maxDelayMs?: number;
}

/** Options of a step that has no undo. */
export interface StepOptions<TDeps, TInput, TResults, TResult, TKind extends StepKind = StepKind> {
  readonly kind: TKind;
  readonly run: StepRun<TDeps, TInput, TResults, TResult>;
  /** Milliseconds per attempt, of `undo` too. @default 10000 */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  readonly undo?: never;
}

export interface CompensatableOptions<TDeps, TInput, TResults, TResult>
  extends Omit<StepOptions<TDeps, TInput, TResults, TResult, 'compensatable'>, 'undo'> {
  /** Must accept a step that never happened. */
  readonly undo: StepUndo<TDeps, TInput, TResults, TResult>;
}

/** A saga as its author declared it, checked and frozen. */
export interface SagaDefinition<TDeps, TInput> {
  readonly name: string;
  readonly version: number;
  /** Milliseconds from the start after which a saga that has not passed its pivot turns back. */
  readonly deadlineMs: number;
  /** Groups in order; the steps of one group run in parallel. */
  readonly groups: readonly (readonly SagaStep<TDeps, TInput>[])[];
  /** Called when the saga has turned back and everything is undone, in place of the steps that did not happen. Retried like a retriable step. */
  readonly onCompensated: SagaEnd<TDeps, TInput> | undefined;
}

export interface SagaStep<TDeps, TInput> {
  readonly name: string;
  readonly kind: StepKind;
  readonly run: StepRun<TDeps, TInput, never, unknown>;
  readonly undo: StepUndo<TDeps, TInput, never, never> | undefined;
  readonly timeoutMs: number;
  readonly retry: Required<RetryOptions>;
}

/** Why a saga turned back: the error of the step that refused. */
export interface SagaFailure {
  readonly step: string;
  readonly code: string;
  readonly reason: string;
  readonly message: string;
}

export type SagaEnd<TDeps, TInput> = (
  ctx: Context,
  call: { readonly sagaId: string; readonly input: TInput; readonly failure: SagaFailure },
  deps: TDeps,
) => Promise<unknown>;

/** A definition whatever its dependencies and input: enough to know its shape, not to call its steps. */
export type AnyDefinition = SagaDefinition<never, never>;
export type AnyStep = SagaStep<never, never>;
