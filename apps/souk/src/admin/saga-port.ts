import type { Context } from '@souk/kernel';
import type { Json, SagaEvent, SagaFailure, SagaStatus } from '@souk/saga';

/** A saga, in a line. */
export interface SagaLine {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  readonly step: string | undefined;
  readonly seq: number;
  readonly error: Partial<SagaFailure> | undefined;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  readonly startedAt: Date;
  readonly updatedAt: Date;
  readonly wakeAt: Date | undefined;
  readonly deadlineAt: Date | undefined;
  readonly owner: string | undefined;
}

/** Which sagas. What is left out does not matter. */
export interface SagaChoice {
  readonly status?: SagaStatus | undefined;
  readonly name?: string | undefined;
  readonly version?: number | undefined;
  readonly step?: string | undefined;
  /** Code or reason of the error. */
  readonly error?: string | undefined;
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
  /** Has not changed for this long, in milliseconds. */
  readonly olderThanMs?: number | undefined;
}

export type SagaActionName = 'retry' | 'skip' | 'edit' | 'compensate' | 'cancel' | 'terminate' | 'pause' | 'resume';

export interface SagaActRequest {
  readonly id: string;
  readonly action: SagaActionName;
  readonly actor: string;
  readonly reason: string;
  readonly step: string | undefined;
  readonly output: Json | undefined;
  readonly input: Json | undefined;
  readonly actionId: string | undefined;
  readonly expectedSeq: number | undefined;
  readonly dryRun: boolean;
  readonly force: boolean;
}

/** What this door needs of the sagas of one service. */
export interface SagaPort {
  /** The last changed first. */
  list(
    ctx: Context,
    choice: SagaChoice,
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<readonly { readonly item: SagaLine; readonly cursor: string }[]>;
  count(ctx: Context): Promise<readonly { name: string; version: number; status: SagaStatus; count: number }[]>;
  /** @returns undefined when there is no such saga */
  show(
    ctx: Context,
    id: string,
  ): Promise<{ readonly saga: SagaLine; readonly shape: string; readonly records: readonly SagaEvent[] } | undefined>;
  /** @returns the saga after it, or as it is in a dry run */
  act(ctx: Context, request: SagaActRequest): Promise<SagaLine>;
}
