import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type SagaDetails,
  Saga_Direction as SagaDirection,
  Saga_Status as SagaStatus,
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
  { saga }: SagaDetails,
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
  const facts = [
    `started ${dateAndTime(startedMs)}, ${span(nowMs - startedMs)} ago`,
    endedMs === undefined ? '' : `took ${span(endedMs - startedMs)}`,
    wakes(saga.wakeAt, nowMs),
    endedMs === undefined ? deadline(saga.deadlineAt, nowMs) : '',
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
