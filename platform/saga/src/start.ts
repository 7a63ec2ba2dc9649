import type { TraceContext } from '@souk/kernel';
import type { AnyDefinition, Json } from './definition.ts';
import { type JournalRecord, type Parent, toRow } from './journal.ts';
import { toJson } from './outcome.ts';
import type { SagaStart } from './storage.ts';

export interface StartInit {
  readonly id: string;
  readonly input: Json;
  readonly parent: Parent | undefined;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  readonly trace: TraceContext;
  /** The worker that owns it at once. */
  readonly owner: string | undefined;
}

/** A new saga: its first record, and its row. */
export function startOf(
  definition: AnyDefinition,
  init: StartInit,
  nowMs: number,
): { readonly start: SagaStart; readonly record: JournalRecord } {
  const { name, version, shape, deadlineMs } = definition;
  const { id, parent, key, tenant, trace, owner } = init;
  const deadlineAt = nowMs + deadlineMs;
  const record: JournalRecord = {
    kind: 'STARTED',
    input: toJson(name, init.input) ?? null,
    at: nowMs,
    deadlineAt,
    trace,
    ...(parent !== undefined && { parent }),
    ...(key !== undefined && { key }),
    ...(tenant !== undefined && { tenant }),
  };
  const start: SagaStart = {
    id,
    name,
    version,
    shape,
    owner,
    wakeAt: nowMs,
    record: toRow(record, 1),
    key: key ?? null,
    tenant: tenant ?? null,
    parent: parent?.sagaId ?? null,
    deadlineAt,
  };
  return { start, record };
}
