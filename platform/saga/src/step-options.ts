import type {
  Json,
  Known,
  RetryOptions,
  SagaDefinition,
  StepCondition,
  StepKind,
  StepResolve,
  StepRun,
  StepUndo,
} from './definition.ts';
import type { DurationText } from './duration.ts';

/** What every step may say. */
export interface CommonOptions<TInput, TResults, TWhen extends boolean> {
  /**
   * The step is skipped when this is false, and its result is undefined then. Pure: it looks at what is journaled and at nothing else,
   * may be asked again, after a restart too, and must answer the same.
   */
  readonly when?: (call: Known<TInput, TResults>) => TWhen;
}

/** How a step that can be undone says so. */
export interface UndoOptions<TDeps, TInput, TResults, TResult> {
  /** Must accept a step that never happened. */
  readonly undo: StepUndo<TDeps, TInput, TResults, TResult>;
  /** As `retry`, for the undo; without limit of attempts unless it gives one. */
  readonly undoRetry?: RetryOptions;
  /** How long the undo is repeated, from its first failure, before the saga is STUCK. @default '24h' */
  readonly undoFor?: DurationText;
}

interface NoUndo {
  readonly undo?: never;
  readonly undoRetry?: never;
  readonly undoFor?: never;
}

interface AttemptOptions {
  /** Milliseconds per attempt, of `undo` too. @default 10000 */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  /** No attempt begins later than this after the end of the first that failed. @default none */
  readonly deadline?: DurationText;
}

/** Options of a step that has no undo. */
export interface StepOptions<
  TDeps,
  TInput,
  TResults,
  TResult,
  TKind extends StepKind = StepKind,
  TWhen extends boolean = boolean,
> extends CommonOptions<TInput, TResults, TWhen>,
    AttemptOptions,
    NoUndo {
  readonly kind: TKind;
  readonly run: StepRun<TDeps, TInput, TResults, TResult>;
  readonly resolve?: never;
}

/** Options of the point of no return. */
export interface PivotOptions<TDeps, TInput, TResults, TResult, TWhen extends boolean = boolean>
  extends CommonOptions<TInput, TResults, TWhen>,
    AttemptOptions,
    NoUndo {
  readonly kind: 'pivot';
  readonly run: StepRun<TDeps, TInput, TResults, TResult>;
  /**
   * Asked in place of a further attempt when an attempt may have happened. Without it the attempt is repeated under the same key.
   */
  readonly resolve?: StepResolve<TDeps, TInput, TResults, TResult>;
}

export interface CompensatableOptions<TDeps, TInput, TResults, TResult, TWhen extends boolean = boolean>
  extends CommonOptions<TInput, TResults, TWhen>,
    AttemptOptions,
    UndoOptions<TDeps, TInput, TResults, TResult> {
  readonly kind: 'compensatable';
  readonly run: StepRun<TDeps, TInput, TResults, TResult>;
  readonly resolve?: never;
}

/** Options of a child saga that has no undo of its own. */
export interface ChildOptions<
  TDeps,
  TInput,
  TResults,
  TChildInput,
  TChildResults,
  TKind extends StepKind,
  TWhen extends boolean = boolean,
> extends CommonOptions<TInput, TResults, TWhen>,
    NoUndo {
  readonly kind: TKind;
  /** A saga of the same service, declared to the same engine. */
  readonly saga: SagaDefinition<TDeps, TChildInput, TChildResults>;
  /** Pure: what the child starts with. */
  readonly input: (call: Known<TInput, TResults>) => NoInfer<TChildInput>;
}

/** Options of a child saga that is undone, when it is COMPLETED, as one step. */
export interface CompensatableChildOptions<
  TDeps,
  TInput,
  TResults,
  TChildInput,
  TChildResults,
  TWhen extends boolean = boolean,
> extends CommonOptions<TInput, TResults, TWhen>,
    UndoOptions<TDeps, TInput, TResults, TChildResults> {
  readonly kind: 'compensatable';
  readonly saga: SagaDefinition<TDeps, TChildInput, TChildResults>;
  readonly input: (call: Known<TInput, TResults>) => NoInfer<TChildInput>;
  /** Milliseconds per attempt of `undo`. @default 10000 */
  readonly timeoutMs?: number;
}

export interface WaitOptions<TInput, TResults, TOnTimeout extends 'turn' | 'continue', TWhen extends boolean = boolean>
  extends CommonOptions<TInput, TResults, TWhen> {
  /** Name of the signal. The first one that nobody waited for yet counts, also when it came before. */
  readonly signal: string;
  /** Counted from when the saga came to this step. @default as long as it takes */
  readonly timeout?: DurationText;
  /**
   * `turn`: the saga turns back with SAGA_SIGNAL_TIMED_OUT. `continue`: it goes on, and the result is undefined. Behind the pivot there
   * is only `continue`.
   */
  readonly onTimeout: TOnTimeout;
}

/** A length of time, or what tells when to go on, in milliseconds since 1970. */
export type SleepUntil<TInput, TResults> = DurationText | ((call: Known<TInput, TResults>) => number);

/** Where there is no condition, the result is there for sure. */
export type Maybe<TResult, TWhen extends boolean> = [TWhen] extends [never] ? TResult : TResult | undefined;

/** At run time all options are the same. */
export interface LooseOptions<TDeps, TInput> {
  readonly kind: StepKind;
  readonly when?: StepCondition<TInput, never>;
  readonly run?: StepRun<TDeps, TInput, never, unknown>;
  readonly resolve?: StepResolve<TDeps, TInput, never, never>;
  readonly saga?: SagaDefinition<never, never>;
  readonly input?: (call: Known<TInput, never>) => Json;
  readonly undo?: StepUndo<TDeps, TInput, never, never>;
  readonly undoRetry?: RetryOptions;
  readonly undoFor?: DurationText;
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  readonly deadline?: DurationText;
}
