export type { SagaAction, SagaActionEntry, SagaAdmin } from './admin.ts';
export { type GroupBuilder, type Phase, type SagaBuilder, saga } from './builder.ts';
export type {
  CompensationPolicy,
  Json,
  Known,
  Resolution,
  RetryOptions,
  SagaDefinition,
  SagaEnd,
  SagaFailure,
  SagaStep,
  StepCall,
  StepCondition,
  StepKind,
  StepResolve,
  StepRun,
  StepUndo,
  UndoCall,
} from './definition.ts';
export type { DurationText } from './duration.ts';
export { createSagaEngine, type SagaEngine, type SagaEngineInit, type SagaHealth } from './engine.ts';
export { sagaErrors } from './errors.ts';
export { sagaMigrations } from './migrations.ts';
export type { StuckNotice } from './notices.ts';
export type { SagaEngineOptions } from './options.ts';
export { manualReview } from './outcome.ts';
export type { SagaCount, SagaFilter, SagaLine } from './saga-query.ts';
export type {
  CancelRequest,
  SagaEvent,
  SagaSignal,
  SagaState,
  SagaStatus,
  Sagas,
  StartOptions,
} from './sagas.ts';
export type {
  ChildOptions,
  CompensatableChildOptions,
  CompensatableOptions,
  PivotOptions,
  SleepUntil,
  StepOptions,
  WaitOptions,
} from './step-options.ts';
