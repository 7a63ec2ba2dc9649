import type { Context } from '@souk/kernel';
import type { Sql, Transaction } from '@souk/store';
import type { Json, SagaDefinition, SagaFailure } from './definition.ts';

export type SagaStatus =
  | 'READY'
  | 'RUNNING'
  | 'WAITING'
  | 'PAUSED'
  | 'STUCK'
  | 'COMPLETED'
  | 'COMPENSATED'
  | 'TERMINATED';

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
  /** `STARTED`, `STEP_DONE`, `STEP_FAILED`, `TURNED`, ... `ENDED`: the README names them all. */
  readonly kind: string;
  /** undefined where the line is not about one step. */
  readonly step: string | undefined;
  readonly attempt: number | undefined;
  readonly at: Date;
  /** What the record holds beside this: the input, a result, an error. May be personal: never log it. */
  readonly body: Json;
}

/** How a saga begins. */
export interface StartOptions<TInput> {
  /** Unique over all sagas of the service; give the saga the id of what it is about. */
  readonly id: string;
  readonly input: TInput;
  readonly ctx: Context;
  /** What it is about, to find it by; not unique. Nothing personal. */
  readonly key?: string;
  /** Whose it is, where the service has several customers. */
  readonly tenant?: string;
}

export interface SagaSignal {
  /** The saga's. */
  readonly id: string;
  /** Kebab-case, as `waitFor` names it. */
  readonly name: string;
  /** The same id is taken once per saga and name: the id of the message or request that says it. */
  readonly signalId: string;
  /** The result of the step that waits for it. @default null */
  readonly body?: Json;
}

export interface CancelRequest {
  readonly reason: string;
  /** Who asks: the id of a user, or a service. */
  readonly actor: string;
  /** The same id asks once. @default a new one */
  readonly actionId?: string;
}

/** What a use case does with sagas. */
export interface Sagas {
  /**
   * Starts a saga in the caller's own transaction: it runs if and only if the transaction commits. Starting the same id again does nothing.
   *
   * @throws SAGA_UNKNOWN_DEFINITION when the service did not declare this saga
   */
  start<TDeps, TInput extends Json>(
    tx: Transaction,
    definition: SagaDefinition<TDeps, TInput>,
    init: StartOptions<TInput>,
  ): Promise<void>;
  /**
   * Starts a saga that nothing else has to commit with: cheaper than `start`, since all that begin at the same time share one commit.
   * Resolves when it is committed.
   *
   * @returns false when there is such a saga already
   * @throws SAGA_UNKNOWN_DEFINITION; SAGA_STOPPED while the engine is not live, SAGA_WRITER_FULL: nothing was started, try later;
   *   SAGA_OWNERSHIP_LOST: it may have been started, the same id may be started again
   */
  startAlone<TDeps, TInput extends Json>(
    ctx: Context,
    definition: SagaDefinition<TDeps, TInput>,
    init: Omit<StartOptions<TInput>, 'ctx'>,
  ): Promise<boolean>;
  /**
   * Signals a saga in the caller's transaction. It may come before the saga waits for it, but not before the saga is there. A saga
   * that has ended ignores it; one that is STUCK or PAUSED takes it when it goes on.
   *
   * @throws SAGA_SIGNAL_NAME
   */
  signal(tx: Transaction, signal: SagaSignal): Promise<void>;
  /**
   * Asks a saga to turn back, in the caller's transaction. Before the point of no return what runs is aborted, what was done is undone
   * and the failure is SAGA_CANCELLED; a pivot under way is left to answer first. After it the saga goes on, and its journal says that the request was
   * refused.
   *
   * @throws SAGA_ACTION_REFUSED without a reason
   */
  cancel(tx: Transaction, id: string, request: CancelRequest): Promise<void>;
  /**
   * Resolves when the saga has ended or is STUCK: at once when it runs in this process, within the engine's `pollMs` when it runs elsewhere.
   *
   * @returns undefined when there is no such saga
   * @throws SOUK_CANCELED, SOUK_DEADLINE_EXCEEDED when `ctx` is over before
   */
  wait(ctx: Context, id: string): Promise<SagaStatus | undefined>;
  /** @returns undefined when there is no such saga */
  find(sql: Sql, id: string): Promise<SagaState | undefined>;
  /** @returns the saga's records, oldest first; empty when there is no such saga */
  journal(sql: Sql, id: string): Promise<readonly SagaEvent[]>;
}
