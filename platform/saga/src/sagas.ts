import type { Context } from '@souk/kernel';
import type { Sql, Transaction } from '@souk/store';
import type { Json, SagaDefinition, SagaFailure } from './definition.ts';

export type SagaStatus = 'READY' | 'RUNNING' | 'WAITING' | 'STUCK' | 'COMPLETED' | 'COMPENSATED' | 'TERMINATED';

/** How a saga stands. */
export interface SagaState {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  readonly failure: SagaFailure | undefined;
}

/** What a use case does with sagas. */
export interface Sagas {
  /**
   * Starts a saga in the caller's own transaction: it runs if and only if the transaction commits. Starting the same id again does nothing.
   *
   * @param init.id Unique over all sagas of the service; give the saga the id of what it is about.
   */
  start<TDeps, TInput extends Json>(
    tx: Transaction,
    definition: SagaDefinition<TDeps, TInput>,
    init: { readonly id: string; readonly input: TInput; readonly ctx: Context },
  ): Promise<void>;
  /** @returns undefined when there is no such saga */
  find(sql: Sql, id: string): Promise<SagaState | undefined>;
}
