export type {
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
export type { Sagas, SagaState, SagaStatus } from './sagas.ts';
