import { checkDefinition } from './checks.ts';
import type {
  CompensationPolicy,
  Json,
  RetryOptions,
  RetrySettings,
  SagaDefinition,
  SagaEnd,
  SagaStep,
  StepKind,
  StepWork,
} from './definition.ts';
import { type DurationText, parseDuration } from './duration.ts';
import { sagaErrors } from './errors.ts';
import type {
  ChildOptions,
  CompensatableChildOptions,
  CompensatableOptions,
  LooseOptions,
  Maybe,
  PivotOptions,
  SleepUntil,
  StepOptions,
  WaitOptions,
} from './step-options.ts';

/** `before`: the saga can still turn back. `after`: the pivot or a retriable step has been declared. */
export type Phase = 'before' | 'after';

/** Compensatable steps and the pivot have signatures of their own. */
type PlainKind = 'read' | 'retriable';
/** Kinds of children without an undo. */
type ChildKind<TPhase extends Phase> = TPhase extends 'before' ? PlainKind | 'pivot' : PlainKind;
type PhaseAfter<TPhase extends Phase, TKind extends StepKind> = TKind extends 'pivot' | 'retriable' ? 'after' : TPhase;
// biome-ignore lint/suspicious/noConfusingVoidType: a step may return nothing
type StepResult = Json | undefined | void;
type NewName<TName extends string, TTaken> = TName extends keyof TTaken ? never : TName;
type With<TResults, TName extends string, TResult> = TResults & { readonly [K in TName]: TResult };
type OnTimeout<TPhase extends Phase> = TPhase extends 'before' ? 'turn' | 'continue' : 'continue';
type Signalled<TOnTimeout> = TOnTimeout extends 'turn' ? Json : Json | undefined;

/** Declares a saga step by step; the type of each step knows the results of those before it. */
export interface SagaBuilder<TDeps, TInput, TResults, TPhase extends Phase> {
  /** Time from the start after which a saga that can still turn back does so. @default '15m' */
  deadline(after: DurationText): SagaBuilder<TDeps, TInput, TResults, TPhase>;
  /** How the saga is taken back. @default { order: 'reverse', onUndoFailure: 'stop' } */
  compensation(policy: CompensationPolicy): SagaBuilder<TDeps, TInput, TResults, TPhase>;
  step<const TName extends string, TResult extends StepResult, TWhen extends boolean = never>(
    name: NewName<TName, TResults>,
    options: TPhase extends 'before' ? PivotOptions<TDeps, TInput, TResults, TResult, TWhen> : never,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<TResult, TWhen>>, 'after'>;
  step<const TName extends string, TResult extends StepResult, TWhen extends boolean = never>(
    name: NewName<TName, TResults>,
    options: TPhase extends 'before' ? CompensatableOptions<TDeps, TInput, TResults, TResult, TWhen> : never,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<TResult, TWhen>>, TPhase>;
  step<const TName extends string, TKind extends PlainKind, TResult extends StepResult, TWhen extends boolean = never>(
    name: NewName<TName, TResults>,
    options: StepOptions<TDeps, TInput, TResults, TResult, TKind, TWhen>,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<TResult, TWhen>>, PhaseAfter<TPhase, TKind>>;
  /**
   * Starts another saga of the service, `<sagaId>/<name>`, and waits for its end. COMPLETED: the step is done, its result is the child's
   * results by step. COMPENSATED: the step is refused with the child's failure. TERMINATED: this saga is STUCK.
   */
  child<const TName extends string, TChildInput extends Json, TChildResults, TWhen extends boolean = never>(
    name: NewName<TName, TResults>,
    options: TPhase extends 'before'
      ? CompensatableChildOptions<TDeps, TInput, TResults, TChildInput, TChildResults, TWhen>
      : never,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<TChildResults, TWhen>>, TPhase>;
  child<
    const TName extends string,
    TKind extends ChildKind<TPhase>,
    TChildInput extends Json,
    TChildResults,
    TWhen extends boolean = never,
  >(
    name: NewName<TName, TResults>,
    options: ChildOptions<TDeps, TInput, TResults, TChildInput, TChildResults, TKind, TWhen>,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<TChildResults, TWhen>>, PhaseAfter<TPhase, TKind>>;
  /** Waits for a signal; its result is the signal's body. Nothing of this process is held meanwhile. */
  waitFor<const TName extends string, TOnTimeout extends OnTimeout<TPhase>, TWhen extends boolean = never>(
    name: NewName<TName, TResults>,
    options: WaitOptions<TInput, TResults, TOnTimeout, TWhen>,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, Maybe<Signalled<TOnTimeout>, TWhen>>, TPhase>;
  /** Goes on later. Nothing of this process is held meanwhile; a time that passed while nothing ran is over at once. */
  sleep<const TName extends string>(
    name: NewName<TName, TResults>,
    until: SleepUntil<TInput, TResults>,
  ): SagaBuilder<TDeps, TInput, With<TResults, TName, undefined>, TPhase>;
  /** Steps that run at the same time and do not see each other's results. No pivot among them. */
  parallel<TAdded, TGroupPhase extends Phase>(
    declare: (
      group: GroupBuilder<TDeps, TInput, TResults, unknown, TPhase, TPhase>,
    ) => GroupBuilder<TDeps, TInput, TResults, TAdded, TPhase, TGroupPhase>,
  ): SagaBuilder<TDeps, TInput, TResults & TAdded, TGroupPhase>;
  /** Runs when the saga has turned back and everything is undone; repeated until it succeeds. */
  onCompensated(run: SagaEnd<TDeps, TInput>): SagaBuilder<TDeps, TInput, TResults, TPhase>;
  /** @throws SAGA_INVALID_DEFINITION saying what is wrong */
  define(): SagaDefinition<TDeps, TInput, TResults>;
}

export interface GroupBuilder<TDeps, TInput, TResults, TAdded, TPhase extends Phase, TGroupPhase extends Phase> {
  step<const TName extends string, TResult extends StepResult, TWhen extends boolean = never>(
    name: NewName<TName, TResults & TAdded>,
    options: TPhase extends 'before' ? CompensatableOptions<TDeps, TInput, TResults, TResult, TWhen> : never,
  ): GroupBuilder<TDeps, TInput, TResults, With<TAdded, TName, Maybe<TResult, TWhen>>, TPhase, TGroupPhase>;
  step<const TName extends string, TKind extends PlainKind, TResult extends StepResult, TWhen extends boolean = never>(
    name: NewName<TName, TResults & TAdded>,
    options: StepOptions<TDeps, TInput, TResults, TResult, TKind, TWhen>,
  ): GroupBuilder<
    TDeps,
    TInput,
    TResults,
    With<TAdded, TName, Maybe<TResult, TWhen>>,
    TPhase,
    PhaseAfter<TGroupPhase, TKind>
  >;
  child<const TName extends string, TChildInput extends Json, TChildResults, TWhen extends boolean = never>(
    name: NewName<TName, TResults & TAdded>,
    options: TPhase extends 'before'
      ? CompensatableChildOptions<TDeps, TInput, TResults, TChildInput, TChildResults, TWhen>
      : never,
  ): GroupBuilder<TDeps, TInput, TResults, With<TAdded, TName, Maybe<TChildResults, TWhen>>, TPhase, TGroupPhase>;
  child<
    const TName extends string,
    TKind extends PlainKind,
    TChildInput extends Json,
    TChildResults,
    TWhen extends boolean = never,
  >(
    name: NewName<TName, TResults & TAdded>,
    options: ChildOptions<TDeps, TInput, TResults, TChildInput, TChildResults, TKind, TWhen>,
  ): GroupBuilder<
    TDeps,
    TInput,
    TResults,
    With<TAdded, TName, Maybe<TChildResults, TWhen>>,
    TPhase,
    PhaseAfter<TGroupPhase, TKind>
  >;
  waitFor<const TName extends string, TOnTimeout extends OnTimeout<TPhase>, TWhen extends boolean = never>(
    name: NewName<TName, TResults & TAdded>,
    options: WaitOptions<TInput, TResults, TOnTimeout, TWhen>,
  ): GroupBuilder<
    TDeps,
    TInput,
    TResults,
    With<TAdded, TName, Maybe<Signalled<TOnTimeout>, TWhen>>,
    TPhase,
    TGroupPhase
  >;
  sleep<const TName extends string>(
    name: NewName<TName, TResults & TAdded>,
    until: SleepUntil<TInput, TResults>,
  ): GroupBuilder<TDeps, TInput, TResults, With<TAdded, TName, undefined>, TPhase, TGroupPhase>;
}

const DEFAULT_DEADLINE_MS = 15 * 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** How long undos are repeated unless their step says otherwise. */
export const DEFAULT_UNDO_FOR_MS = 24 * 3_600_000;

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
  let compensation: CompensationPolicy = { order: 'reverse', onUndoFailure: 'stop' };
  let end: SagaEnd<TDeps, TInput> | undefined;
  let committed = false;

  const ms = (what: string, text: DurationText) => parseDuration(name, what, text);
  const toStep = (
    stepName: string,
    work: StepWork<TDeps, TInput>,
    options: LooseOptions<TDeps, TInput>,
  ): SagaStep<TDeps, TInput> => {
    committed ||= options.kind === 'retriable';
    const step = {
      name: stepName,
      kind: options.kind,
      work: Object.freeze(work),
      when: options.when,
      undo: options.undo,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      deadlineMs: options.deadline === undefined ? Number.POSITIVE_INFINITY : ms('deadline', options.deadline),
      retry: resolveRetry(options.retry, attemptsOf(options.kind, committed), 30_000),
      undoRetry: resolveRetry(options.undoRetry, Number.POSITIVE_INFINITY, 300_000),
      undoForMs: options.undoFor === undefined ? DEFAULT_UNDO_FOR_MS : ms('undoFor', options.undoFor),
    };
    committed ||= options.kind === 'pivot';
    return Object.freeze(step);
  };
  const declareInto = (add: (step: SagaStep<TDeps, TInput>) => void, self: () => unknown) => ({
    step: (stepName: string, options: LooseOptions<TDeps, TInput>) => {
      if (options.run === undefined)
        throw sagaErrors.INVALID_DEFINITION({ saga: name, why: `step ${stepName}: no run` });
      add(toStep(stepName, { is: 'run', run: options.run, resolve: options.resolve }, options));
      return self();
    },
    child: (stepName: string, options: LooseOptions<TDeps, TInput>) => {
      const { saga: child, input } = options;
      if (child === undefined || input === undefined)
        throw sagaErrors.INVALID_DEFINITION({ saga: name, why: `step ${stepName}: no saga or no input` });
      add(toStep(stepName, { is: 'child', saga: child, input }, options));
      return self();
    },
    waitFor: (stepName: string, options: WaitOptions<TInput, never, 'turn' | 'continue'>) => {
      const { signal, timeout, onTimeout, when } = options;
      const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : ms('timeout', timeout);
      add(toStep(stepName, { is: 'wait', signal, timeoutMs, onTimeout }, { kind: 'read', ...(when && { when }) }));
      return self();
    },
    sleep: (stepName: string, wanted: SleepUntil<TInput, never>) => {
      const until = typeof wanted === 'string' ? ms('sleep', wanted) : wanted;
      add(toStep(stepName, { is: 'sleep', until }, { kind: 'read' }));
      return self();
    },
  });

  const builder: object = {
    ...declareInto(
      (step) => groups.push([step]),
      () => builder,
    ),
    deadline: (after: DurationText) => {
      deadlineMs = ms('deadline', after);
      return builder;
    },
    compensation: (policy: CompensationPolicy) => {
      compensation = Object.freeze({ ...policy });
      return builder;
    },
    parallel: (declare: (group: unknown) => unknown) => {
      const steps: SagaStep<TDeps, TInput>[] = [];
      const group: object = declareInto(
        (step) => steps.push(step),
        () => group,
      );
      declare(group);
      groups.push(steps);
      return builder;
    },
    onCompensated: (run: SagaEnd<TDeps, TInput>) => {
      end = run;
      return builder;
    },
    define: (): SagaDefinition<TDeps, TInput> => {
      const all = groups.flat();
      const retriable = groups.findIndex((group) => group.some((step) => step.kind === 'retriable'));
      const definition: SagaDefinition<TDeps, TInput> = {
        name,
        version,
        deadlineMs,
        groups: Object.freeze(groups.map((group) => Object.freeze([...group]))),
        compensation,
        onCompensated: end,
        shape: groups.map((group) => group.map(shapeOfStep).join('+')).join(' '),
        steps: new Map(all.map((step) => [step.name, step])),
        pivot: all.find((step) => step.kind === 'pivot')?.name,
        committedFrom: retriable < 0 ? Number.POSITIVE_INFINITY : retriable,
      };
      checkDefinition(definition);
      return Object.freeze(definition);
    },
  };
  // The accumulated types exist for the author only; at run time every builder is the same object.
  return builder as ReturnType<typeof saga<TDeps, TInput>>;
}

function shapeOfStep({ name, kind, work }: Pick<SagaStep<never, never>, 'name' | 'kind' | 'work'>): string {
  if (work.is === 'run') return `${name}:${kind}`;
  if (work.is === 'child') return `${name}:${kind}:child(${work.saga.name}@${work.saga.version})`;
  return `${name}:${work.is}`;
}

const attemptsOf = (kind: StepKind, committed: boolean): number =>
  committed ? Number.POSITIVE_INFINITY : kind === 'pivot' ? 20 : 5;

const resolveRetry = (retry: RetryOptions = {}, attempts: number, maxDelayMs: number): RetrySettings =>
  Object.freeze({
    attempts: retry.attempts ?? attempts,
    firstDelayMs: retry.firstDelayMs ?? 200,
    maxDelayMs: retry.maxDelayMs ?? maxDelayMs,
    never: Object.freeze([...(retry.never ?? [])]),
  });
