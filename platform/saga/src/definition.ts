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

/** What is in the journal for sure: all that a condition, a timer or the input of a child may depend on. */
export interface Known<TInput, TResults> {
  readonly sagaId: string;
  readonly input: TInput;
  /** Results of the steps that are done, by name. */
  readonly results: TResults;
}

/** What a step sees. */
export interface StepCall<TInput, TResults> extends Known<TInput, TResults> {
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
 * `later` and `unknownOutcome` are retried; `manualReview` asks for a person. What is returned must survive JSON.
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

/** Whether the step is done at all. Pure: it may be asked again, after a restart too, and must answer the same. */
export type StepCondition<TInput, TResults> = (call: Known<TInput, TResults>) => boolean;

/**
 * - `done`: it happened. A step with a result says which: `{ done: result }`.
 * - `not-done`: it did not happen, and no attempt made before will do it any more.
 * - `unknown`: ask again later.
 */
export type Resolution<TResult> =
  | 'not-done'
  | 'unknown'
  | { readonly done: NoInfer<TResult> }
  | (undefined extends TResult ? 'done' : never);

/** Finds out what became of a pivot that did not answer. `ctx` carries the step's idempotency key. */
export type StepResolve<TDeps, TInput, TResults, TResult> = (
  ctx: Context,
  call: StepCall<TInput, TResults>,
  deps: TDeps,
) => Promise<Resolution<TResult>>;

export interface RetryOptions {
  /** Attempts in all. Default 5 for read and compensatable, 20 for the pivot; without limit after the point of no return and for undos. */
  readonly attempts?: number;
  /** First delay in milliseconds; doubles per attempt with full jitter. @default 200 */
  readonly firstDelayMs?: number;
  /** Longest delay in milliseconds. @default 30000, for undos 300000 */
  readonly maxDelayMs?: number;
  /** Codes (`resource_exhausted`) and reasons (`PAYMENTS_CARD_EXPIRED`) after which there is no further attempt. @default none */
  readonly never?: readonly string[];
}

export type RetrySettings = Required<RetryOptions>;

/** Definition of an activity that the saga itself carries out. */
export interface StepWorkRun<TDeps, TInput> {
  readonly is: 'run';
  readonly run: StepRun<TDeps, TInput, never, unknown>;
  readonly resolve: StepResolve<TDeps, TInput, never, never> | undefined;
}

/** Starts another saga of the service and waits for its end. */
export interface StepWorkChild<TInput> {
  readonly is: 'child';
  readonly saga: AnyDefinition;
  readonly input: (call: Known<TInput, never>) => Json;
}

/** Waits for a signal. */
export interface StepWorkWait {
  readonly is: 'wait';
  readonly signal: string;
  /** Milliseconds from the beginning of the wait; Infinity: as long as it takes. */
  readonly timeoutMs: number;
  readonly onTimeout: 'turn' | 'continue';
}

/** Waits for a time. */
export interface StepWorkSleep<TInput> {
  readonly is: 'sleep';
  /** Milliseconds, or what tells the time to wake at in milliseconds since 1970. */
  readonly until: number | ((call: Known<TInput, never>) => number);
}

export type StepWork<TDeps, TInput> =
  | StepWorkRun<TDeps, TInput>
  | StepWorkChild<TInput>
  | StepWorkWait
  | StepWorkSleep<TInput>;

export interface SagaStep<TDeps, TInput> {
  readonly name: string;
  readonly kind: StepKind;
  readonly work: StepWork<TDeps, TInput>;
  readonly when: StepCondition<TInput, never> | undefined;
  readonly undo: StepUndo<TDeps, TInput, never, never> | undefined;
  /** Milliseconds per attempt, of `undo` too. */
  readonly timeoutMs: number;
  /** Milliseconds from the end of the first failed attempt after which no further one begins; Infinity: no such limit. */
  readonly deadlineMs: number;
  readonly retry: RetrySettings;
  readonly undoRetry: RetrySettings;
  /** Milliseconds from the first failed attempt of the undo after which it is given up. */
  readonly undoForMs: number;
}

/** How a saga is taken back. */
export interface CompensationPolicy {
  /** The last step that was done is undone first. */
  readonly order: 'reverse';
  /**
   * What follows when an undo is refused or its time is over. `stop`: the saga is STUCK at once. `continue`: the other undos are done
   * first, then it is STUCK, naming all that failed.
   */
  readonly onUndoFailure: 'stop' | 'continue';
}

declare const RESULTS: unique symbol;

/** A saga as its author declared it, checked and frozen. */
export interface SagaDefinition<TDeps, TInput, TResults = unknown> {
  readonly name: string;
  readonly version: number;
  /** Milliseconds from the start after which a saga that has not passed its pivot turns back. */
  readonly deadlineMs: number;
  /** Groups in order; the steps of one group run in parallel. */
  readonly groups: readonly (readonly SagaStep<TDeps, TInput>[])[];
  readonly compensation: CompensationPolicy;
  /** Called when the saga has turned back and everything is undone, in place of the steps that did not happen. Retried like a retriable step. */
  readonly onCompensated: SagaEnd<TDeps, TInput> | undefined;
  /** What must stay the same for a running saga: a change of it needs a new version. */
  readonly shape: string;
  /** All steps by name. */
  readonly steps: ReadonlyMap<string, SagaStep<TDeps, TInput>>;
  readonly pivot: string | undefined;
  /** Index of the first group with a retriable step; Infinity when there is none. */
  readonly committedFrom: number;
  /** There at compile time only. */
  readonly [RESULTS]?: TResults;
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
