import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  SagaAction_Kind as ActionKind,
  type SagaDetails,
  type SagaRecord,
  type SagaStep,
} from '@souk/contracts/admin/v1/sagas';
import { ENDED } from './saga-header.ts';

// What the records of a saga mean to somebody who draws it.

/** The command of an action: `give-up`. */
export const commandOf = (action: ActionKind): string => (ActionKind[action] ?? '').toLowerCase().replaceAll('_', '-');

/** What an operator did: `give-up`; undefined where none did. */
export const actionOf = (record: SagaRecord | undefined): string | undefined =>
  record === undefined || record.action === ActionKind.KIND_UNSPECIFIED ? undefined : commandOf(record.action);

const STEP_ENDS: readonly string[] = ['STEP_DONE', 'TIMER', 'SIGNALLED', 'CHILD', 'SKIPPED'];

/** The step is over with it, and the saga goes on. */
export const endsStep = (record: SagaRecord): boolean => STEP_ENDS.includes(record.kind) || actionOf(record) === 'skip';

/** From here on the saga goes back. */
export const isTurn = ({ kind }: SagaRecord): boolean => kind === 'TURNED';

export const stepOf = (record: SagaRecord): string => record.step || record.error?.step || '';

export const isOver = ({ saga }: SagaDetails): boolean => saga !== undefined && ENDED.includes(saga.status);

/** Steps that run at the same time as this one, itself among them. */
export const together = ({ steps }: SagaDetails, { group }: SagaStep): readonly SagaStep[] =>
  steps.filter((step) => step.group === group);

export const msOf = (at: Timestamp | undefined): number | undefined => (at === undefined ? undefined : timestampMs(at));
