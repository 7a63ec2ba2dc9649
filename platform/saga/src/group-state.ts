import type { SoukError } from '@souk/kernel';
import type { SagaFailure } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { isCommitted, openSteps } from './machine.ts';
import { recordError } from './outcome.ts';
import type { SagaRun } from './step.ts';

/** What the steps of a group decide together. */
export interface Group {
  /** Why the saga turns back. The first failure counts. */
  turned: SagaFailure | undefined;
  stuck: SagaFailure | undefined;
  /** No further attempt begins: somebody wants something else of the saga. */
  held: boolean;
}

export function passDeadline(run: SagaRun, group: Group): void {
  const { definition, state } = run.handle;
  if (isCommitted(definition, state) || state.phase !== 'forward') return;
  turnBack(run, group, failureOf(openSteps(definition, state)[0]?.name ?? '', sagaErrors.DEADLINE_EXCEEDED()));
}

export function turnBack(run: SagaRun, group: Group, failure: SagaFailure): void {
  group.turned ??= failure;
  run.forward.end(sagaErrors.CANCELLED());
}

export const failureOf = (step: string, error: SoukError): SagaFailure => ({ step, ...recordError(error) });
