import { checkDefinition } from './checks.ts';
import type {
  CompensatableOptions,
  Json,
  RetryOptions,
  SagaDefinition,
  SagaEnd,
  SagaStep,
  StepKind,
  StepOptions,
  StepRun,
  StepUndo,
} from './definition.ts';
import { type DurationText, parseDuration } from './duration.ts';

/** `before`: the saga can still turn back. `after`: the pivot or a retriable step has been declared. */
export type Phase = 'before' | 'after';

/** Kinds without an undo; compensatable steps have their own signature. */
type KindIn<TPhase extends Phase> = TPhase extends 'before' ? Exclude<StepKind, 'compensatable'> : 'read' | 'retriable';
type KindInGroup<TPhase extends Phase> = Exclude<KindIn<TPhase>, 'pivot'>;
type PhaseAfter<TPhase extends Phase, TKind extends StepKind> = TKind extends 'pivot' | 'retriable' ? 'after' : TPhase;
// biome-ignore lint/suspicious/noConfusingVoidType: a step may return nothing
type StepResult = Json | undefined | void;
type NewName<TName extends string, TTaken> = TName extends keyof TTaken ? never : TName;
type With<TResults, TName extends string, TResult> = TResults & { readonly [K in TName]: TResult };

/** Declares a saga step by step; the type of each step knows the results of those before it. */
export interface SagaBuilder<TDeps, TInput, TResults, TPhase extends Phase> {
  /** Time from the start after which a saga that can still turn back does so. @default '15m' */
  deadline(after: DurationText): SagaBuilder<TDeps, TInput, TResults, TPhase>;
  step<const TName extends string, TResult extends StepResult>(
    name: NewName<TName, TResults>,
    options: TPhase extends 'before' ? CompensatableOptions<TDeps, TInput, TResults, TResult> : never,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, TResult>, TPhase>;
  step<const TName extends string, TKind extends KindIn<TPhase>, TResult extends StepResult>(
    name: NewName<TName, TResults>,
    options: StepOptions<TDeps, TInput, TResults, TResult, TKind>,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, TResult>, PhaseAfter<TPhase, TKind>>;
  /** Steps that run at the same time and do not see each other's results. No pivot among them. */
  parallel<TAdded, TGroupPhase extends Phase>(
    declare: (
      group: GroupBuilder<TDeps, TInput, TResults, unknown, TPhase, TPhase>,
    ) => GroupBuilder<TDeps, TInput, TResults, TAdded, TPhase, TGroupPhase>,
  ): SagaBuilder<TDeps, TInput, TResults & TAdded, TGroupPhase>;
  /** Runs when the saga has turned back and everything is undone; repeated until it succeeds. */
  onCompensated(run: SagaEnd<TDeps, TInput>): SagaBuilder<TDeps, TInput, TResults, TPhase>;
  /** @throws SAGA_INVALID_DEFINITION saying what is wrong */
  define(): SagaDefinition<TDeps, TInput>;
}

export interface GroupBuilder<TDeps, TInput, TResults, TAdded, TPhase extends Phase, TGroupPhase extends Phase> {
  step<const TName extends string, TResult extends StepResult>(
    name: NewName<TName, TResults & TAdded>,
    options: TPhase extends 'before' ? CompensatableOptions<TDeps, TInput, TResults, TResult> : never,
  ): GroupBuilder<TDeps, TInput, TResults, With<TAdded, TName, TResult>, TPhase, TGroupPhase>;
  step<const TName extends string, TKind extends KindInGroup<TPhase>, TResult extends StepResult>(
    name: NewName<TName, TResults & TAdded>,
    options: StepOptions<TDeps, TInput, TResults, TResult, TKind>,
  ): GroupBuilder<TDeps, TInput, TResults, With<TAdded, TName, TResult>, TPhase, PhaseAfter<TGroupPhase, TKind>>;
}

const DEFAULT_DEADLINE_MS = 15 * 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Begins the declaration of a saga.
 *
 * @param name Kebab-case, unique in the service.
 * @param version A whole number from 1. Give a saga whose steps, kinds or order change a new one and keep the old as long as instances of it run.
 */
export function saga<TDeps, TInput extends Json>(
  name: string,
  version: number,
  // biome-ignore lint/complexity/noBannedTypes: no result yet, and `keyof {}` is never
): SagaBuilder<TDeps, TInput, {}, 'before'> {
  const groups: SagaStep<TDeps, TInput>[][] = [];
  let deadlineMs = DEFAULT_DEADLINE_MS;
  let end: SagaEnd<TDeps, TInput> | undefined;
  let committed = false;

  const toStep = (stepName: string, options: LooseOptions<TDeps, TInput>): SagaStep<TDeps, TInput> => {
    committed ||= options.kind === 'retriable';
    const step = {
      name: stepName,
      kind: options.kind,
      run: options.run,
      undo: options.undo,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retry: resolveRetry(options.kind, committed, options.retry),
    };
    committed ||= options.kind === 'pivot';
    return Object.freeze(step);
  };

  const builder = {
    deadline: (after: DurationText) => {
      deadlineMs = parseDuration(name, after);
      return builder;
    },
    step: (stepName: string, options: LooseOptions<TDeps, TInput>) => {
      groups.push([toStep(stepName, options)]);
      return builder;
    },
    parallel: (declare: (group: unknown) => unknown) => {
      const steps: SagaStep<TDeps, TInput>[] = [];
      const group = {
        step: (stepName: string, options: LooseOptions<TDeps, TInput>) => {
          steps.push(toStep(stepName, options));
          return group;
        },
      };
      declare(group);
      groups.push(steps);
      return builder;
    },
    onCompensated: (run: SagaEnd<TDeps, TInput>) => {
      end = run;
      return builder;
    },
    define: (): SagaDefinition<TDeps, TInput> => {
      const definition = {
        name,
        version,
        deadlineMs,
        groups: Object.freeze(groups.map((group) => Object.freeze([...group]))),
        onCompensated: end,
      };
      checkDefinition(definition);
      return Object.freeze(definition);
    },
  };
  // The accumulated types exist for the author only; at run time every builder is the same object.
  return builder as unknown as ReturnType<typeof saga<TDeps, TInput>>;
}

interface LooseOptions<TDeps, TInput> {
  readonly kind: StepKind;
  readonly run: StepRun<TDeps, TInput, never, unknown>;
  readonly undo?: StepUndo<TDeps, TInput, never, never>;
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
}

const resolveRetry = (kind: StepKind, committed: boolean, retry: RetryOptions = {}): Required<RetryOptions> =>
  Object.freeze({
    attempts: retry.attempts ?? (committed ? Number.POSITIVE_INFINITY : kind === 'pivot' ? 20 : 5),
    firstDelayMs: retry.firstDelayMs ?? 200,
    maxDelayMs: retry.maxDelayMs ?? 30_000,
  });
