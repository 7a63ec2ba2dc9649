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
  /** Why it turned back; while it is STUCK, what it is stuck on. */
  readonly failure: SagaFailure | undefined;
}

/** One line of a saga's timeline. */
export interface SagaEvent {
  /** 1 for the first; without gaps. */
  readonly seq: number;
  /** `STARTED`, `STEP_DONE`, `STEP_FAILED`, `TURNED`, `UNDO_DONE`, `UNDO_FAILED`, `STUCK` or `ENDED`. */
  readonly kind: string;
  /** undefined where the line is not about one step. */
  readonly step: string | undefined;
  readonly attempt: number | undefined;
  readonly at: Date;
  /** What the record holds beside this: the input, a result, an error. May be personal: never log it. */
  readonly body: Json;
}

/** What a use case does with sagas. */
export interface Sagas {
  /**
   * Starts a saga in the caller's own transaction: it runs if and only if the transaction commits. Starting the same id again does nothing.
   *
   * @param init.id Unique over all sagas of the service; give the saga the id of what it is about.
   * @throws SAGA_UNKNOWN_DEFINITION when the service did not declare this saga
   */
  start<TDeps, TInput extends Json>(
    tx: Transaction,
    definition: SagaDefinition<TDeps, TInput>,
    init: { readonly id: string; readonly input: TInput; readonly ctx: Context },
  ): Promise<void>;
  /** @returns undefined when there is no such saga */
  find(sql: Sql, id: string): Promise<SagaState | undefined>;
  /** @returns the saga's records, oldest first; empty when there is no such saga */
  journal(sql: Sql, id: string): Promise<readonly SagaEvent[]>;
}
