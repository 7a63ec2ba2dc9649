export { type GroupBuilder, type Phase, type SagaBuilder, saga } from './builder.ts';
export type {
  CompensatableOptions,
  Json,
  RetryOptions,
  SagaDefinition,
  SagaEnd,
  SagaFailure,
  SagaStep,
  StepCall,
  StepKind,
  StepOptions,
  StepRun,
  StepUndo,
  UndoCall,
} from './definition.ts';
export type { DurationText } from './duration.ts';
export { createSagaEngine, type SagaEngine, type SagaEngineInit, type SagaHealth } from './engine.ts';
export { sagaErrors } from './errors.ts';
export { sagaMigrations } from './migrations.ts';
export type { SagaEngineOptions } from './options.ts';
export type { SagaEvent, SagaState, SagaStatus, Sagas } from './sagas.ts';
