import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  SagaAction_Kind as ActionKind,
  Saga_Direction as Direction,
  type PossibleActionSchema,
  type SagaDetailsSchema,
  type SagaErrorSchema,
  type SagaRecordSchema,
  type SagaSchema,
  Saga_Status as Status,
  SagaStep_Kind as StepKind,
  SagaStep_State as StepState,
} from '@souk/contracts/admin/v1/sagas';
import type { Json, SagaAction, SagaEvent, SagaLine, SagaStatus } from '@souk/saga';

import { bodyOf, stepsOf } from './saga-steps.ts';
import { dateField, jsonField, timeField } from './saga-values.ts';

/** The contract says "give up" where the journal says "terminate". */
const ACTIONS: readonly (readonly [ActionKind, SagaAction['action']])[] = [
  [ActionKind.RETRY, 'retry'],
  [ActionKind.SKIP, 'skip'],
  [ActionKind.EDIT, 'edit'],
  [ActionKind.COMPENSATE, 'compensate'],
  [ActionKind.CANCEL, 'cancel'],
  [ActionKind.GIVE_UP, 'terminate'],
  [ActionKind.PAUSE, 'pause'],
  [ActionKind.RESUME, 'resume'],
];

/** The contract allows no other. */
export const actionName = (kind: ActionKind): SagaAction['action'] =>
  (ACTIONS.find(([one]) => one === kind) as (typeof ACTIONS)[number])[1];

const actionKind = (name: unknown): ActionKind =>
  ACTIONS.find(([, one]) => one === name)?.[0] ?? ActionKind.KIND_UNSPECIFIED;

export const statusName = (status: Status): SagaStatus | undefined =>
  status === Status.STATUS_UNSPECIFIED ? undefined : (Status[status] as SagaStatus);

export const sagaMessage = (service: string, saga: SagaLine): MessageInitShape<typeof SagaSchema> => ({
  service,
  id: saga.id,
  name: saga.name,
  definitionVersion: saga.version,
  status: Status[saga.status],
  direction: saga.direction === 'forward' ? Direction.FORWARD : Direction.BACKWARD,
  step: saga.step ?? '',
  seq: saga.seq,
  ...(saga.error !== undefined && { error: errorMessage(saga.error) }),
  key: saga.key ?? '',
  tenant: saga.tenant ?? '',
  startedAt: timestampFromDate(saga.startedAt),
  updatedAt: timestampFromDate(saga.updatedAt),
  ...dateField('wakeAt', saga.wakeAt),
  ...dateField('deadlineAt', saga.deadlineAt),
  owner: saga.owner ?? '',
  parent: saga.parent ?? '',
});

const errorMessage = (error: object): MessageInitShape<typeof SagaErrorSchema> => {
  const { step, code, reason, message } = error as Readonly<Record<string, unknown>>;
  return { step: text(step), code: text(code), reason: text(reason), message: text(message) };
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const ENDED: readonly SagaStatus[] = ['COMPLETED', 'COMPENSATED', 'TERMINATED'];

export function detailsMessage(
  service: string,
  shown: { readonly saga: SagaLine; readonly shape: string; readonly records: readonly SagaEvent[] },
): MessageInitShape<typeof SagaDetailsSchema> {
  const { saga, shape, records } = shown;
  const steps = stepsOf(shape, saga, records);
  const started = records.find(({ kind }) => kind === 'STARTED');
  return {
    saga: sagaMessage(service, saga),
    steps: [...steps],
    records: records.map(recordMessage),
    actions: possibleActions(saga, steps),
    ...(started !== undefined && jsonField('input', bodyOf(started).input)),
  };
}

function recordMessage(record: SagaEvent): MessageInitShape<typeof SagaRecordSchema> {
  const { error, failure, outcome, retryAt, actor, reason, action, ...rest } = bodyOf(record);
  const wrong = isObject(error) ? { ...error, step: record.step ?? '' } : isObject(failure) ? failure : undefined;
  return {
    seq: record.seq,
    kind: record.kind,
    step: record.step ?? '',
    attempt: record.attempt ?? 0,
    at: timestampFromDate(record.at),
    outcome: text(outcome) || (record.kind === 'ACTION' ? 'done' : ''),
    ...(wrong !== undefined && { error: errorMessage(wrong) }),
    ...timeField('retryAt', retryAt),
    actor: text(actor),
    reason: text(reason),
    action: record.kind === 'ACTION' ? actionKind(action) : ActionKind.KIND_UNSPECIFIED,
    ...jsonField('body', rest),
  };
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type Steps = ReturnType<typeof stepsOf>;

/** What would not be refused as the saga stands. The engine has the last word. */
function possibleActions(saga: SagaLine, steps: Steps): MessageInitShape<typeof PossibleActionSchema>[] {
  if (ENDED.includes(saga.status)) return [];
  const step = saga.step ?? '';
  const isForward = saga.direction === 'forward';
  const isCommitted = isForward && steps.some(isBehindPivot);
  const isStuck = saga.status === 'STUCK';
  return [
    ...(isStuck ? [{ action: ActionKind.RETRY, step }] : []),
    ...(step === '' ? [] : [{ action: ActionKind.SKIP, step }]),
    ...(step !== '' && isForward ? [{ action: ActionKind.EDIT, step }] : []),
    ...(isForward ? [{ action: ActionKind.COMPENSATE, needsForce: isCommitted }] : []),
    ...(isForward && !isCommitted ? [{ action: ActionKind.CANCEL }] : []),
    ...(saga.status === 'PAUSED' ? [{ action: ActionKind.RESUME }] : isStuck ? [] : [{ action: ActionKind.PAUSE }]),
    { action: ActionKind.GIVE_UP },
  ];
}

/** The pivot is done or may be, or the saga has come to what is retriable. */
const isBehindPivot = ({ kind, state, attempts = 0 }: Steps[number]): boolean =>
  state !== StepState.OPEN &&
  (kind === StepKind.RETRIABLE || (kind === StepKind.PIVOT && (state !== StepState.CURRENT || attempts > 0)));
