import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type SagaDetails,
  Saga_Direction as SagaDirection,
  Saga_Status as SagaStatus,
  SagaStep_Kind as StepKind,
  SagaStep_State as StepState,
} from '@souk/contracts/admin/v1/sagas';
import { fit, type Piece } from './line.ts';
import type { Paint, Palette } from './palette.ts';
import { dateAndTime, span } from './span.ts';

/** How a status looks. */
export function statusPaint(status: SagaStatus, palette: Palette): Paint {
  if (status === SagaStatus.STUCK) return palette.red;
  if (status === SagaStatus.COMPLETED) return palette.green;
  return [SagaStatus.COMPENSATED, SagaStatus.TERMINATED].includes(status) ? palette.dim : palette.yellow;
}

/** No more will happen. */
export const ENDED = [SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.TERMINATED];

/** Name and version, id, status, age, owner, deadline. */
export function headerOf(
  { saga, steps }: SagaDetails,
  { width, nowMs, palette }: { readonly width: number; readonly nowMs: number; readonly palette: Palette },
): string[] {
  if (saga === undefined) return [];
  const { bold, dim } = palette;
  const status: Piece[] = [
    [SagaStatus[saga.status] ?? '', statusPaint(saga.status, palette)],
    saga.step !== '' && !ENDED.includes(saga.status) ? ` at ${saga.step}` : '',
    saga.direction === SagaDirection.BACKWARD && !ENDED.includes(saga.status) ? ', going back' : '',
  ];
  const startedMs = msOf(saga.startedAt) ?? nowMs;
  const endedMs = ENDED.includes(saga.status) ? msOf(saga.updatedAt) : undefined;
  // Behind the point of no return, and on the way back, the deadline has no meaning any more.
  const isCommitted = steps.some(({ kind, state }) => COMMITTED.includes(kind) && state !== StepState.OPEN);
  const canTurn = endedMs === undefined && saga.direction === SagaDirection.FORWARD && !isCommitted;
  const facts = [
    `started ${dateAndTime(startedMs)}, ${span(nowMs - startedMs)} ago`,
    endedMs === undefined ? '' : `took ${span(endedMs - startedMs)}`,
    wakes(saga.wakeAt, nowMs),
    canTurn ? deadline(saga.deadlineAt, nowMs) : '',
    saga.owner === '' ? '' : `owned by ${saga.owner}`,
    saga.key === '' || saga.key === saga.id ? '' : `about ${saga.key}`,
    saga.parent === '' ? '' : `part of ${saga.parent}`,
    saga.tenant === '' ? '' : `of ${saga.tenant}`,
    `journal ${saga.seq}`,
  ].filter((fact) => fact !== '');
  return [
    fit([[`${saga.name}@${saga.definitionVersion}`, bold], `  ${saga.id}  `, ...status], width),
    fit([[`${saga.service}: ${facts.join('; ')}`, dim]], width),
  ];
}

const COMMITTED = [StepKind.PIVOT, StepKind.RETRIABLE];

function wakes(at: Timestamp | undefined, nowMs: number): string {
  const ms = msOf(at);
  return ms === undefined || ms <= nowMs ? '' : `goes on in ${span(ms - nowMs)}`;
}

function deadline(at: Timestamp | undefined, nowMs: number): string {
  const ms = msOf(at);
  if (ms === undefined) return '';
  return ms > nowMs ? `deadline in ${span(ms - nowMs)}` : `deadline ${span(nowMs - ms)} ago`;
}

const msOf = (at: Timestamp | undefined): number | undefined => (at === undefined ? undefined : timestampMs(at));
