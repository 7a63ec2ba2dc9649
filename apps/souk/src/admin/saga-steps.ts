import type { MessageInitShape } from '@bufbuild/protobuf';
import { SagaStep_Kind as Kind, type SagaStepSchema, SagaStep_State as State } from '@souk/contracts/admin/v1/sagas';
import type { Json, SagaEvent, SagaLine } from '@souk/saga';
import { jsonField, timeField } from './saga-values.ts';

type StepMessage = MessageInitShape<typeof SagaStepSchema>;

const KINDS: Readonly<Record<string, Kind>> = {
  read: Kind.READ,
  compensatable: Kind.COMPENSATABLE,
  pivot: Kind.PIVOT,
  retriable: Kind.RETRIABLE,
};

interface Shape {
  readonly name: string;
  readonly kind: Kind;
  readonly group: number;
}

/** `a:read b:compensatable+c:compensatable`: groups stand apart, steps of a group are joined. */
function parseShape(shape: string): readonly Shape[] {
  return shape
    .split(' ')
    .filter((group) => group !== '')
    .flatMap((group, index) =>
      group.split('+').map((step) => {
        const [name = '', kind = ''] = step.split(':');
        return { name, kind: KINDS[kind] ?? Kind.READ, group: index + 1 };
      }),
    );
}

type Body = Readonly<Record<string, Json | undefined>>;
export const bodyOf = ({ body }: SagaEvent): Body =>
  typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Body) : {};

const FINAL = ['COMPLETED', 'COMPENSATED', 'TERMINATED'];

/** Where each step of a saga stands, told by its journal: also of definitions that are not known here. */
export function stepsOf(shape: string, saga: SagaLine, records: readonly SagaEvent[]): readonly StepMessage[] {
  const turned = records.find(({ kind }) => kind === 'TURNED');
  const turnedAt = turned?.seq ?? Number.POSITIVE_INFINITY;
  const inDoubt = turned === undefined ? [] : ((bodyOf(turned).inDoubt ?? []) as readonly string[]);
  const steps = parseShape(shape);
  const ends = new Map(steps.map(({ name }) => [name, endOf(name, records, turnedAt)]));
  const openGroup = steps.find(({ name }) => ends.get(name) === undefined)?.group;
  return steps.map((step) => {
    const own = records.filter((record) => record.step === step.name);
    const end = ends.get(step.name);
    const state =
      turned === undefined
        ? forward(step, saga, own, end, openGroup)
        : backward(step, saga, own, end, turned, inDoubt.includes(step.name));
    const last = own.at(-1);
    const isOpen = [State.CURRENT, State.WAITING, State.TO_UNDO].includes(state);
    const goesOnAt = isOpen && last !== undefined ? (bodyOf(last).retryAt ?? bodyOf(last).until) : undefined;
    return {
      ...step,
      state,
      attempts: own.filter(({ attempt }) => attempt !== undefined).length,
      ...timeField('retryAt', goesOnAt),
      ...(end !== undefined && jsonField('output', bodyOf(end).result ?? bodyOf(end).body)),
      waitsFor: state === State.WAITING && last !== undefined ? waitsFor(last) : '',
    };
  });
}

const isSkip = (record: SagaEvent): boolean =>
  record.kind === 'ACTION' && bodyOf(record).action === 'skip' && bodyOf(record).outcome !== 'refused';

/** The record that ended the step on the way forward. */
const endOf = (name: string, records: readonly SagaEvent[], turnedAt: number): SagaEvent | undefined =>
  records.find(
    (record) =>
      record.step === name &&
      record.seq < turnedAt &&
      (['STEP_DONE', 'TIMER', 'SIGNALLED', 'SKIPPED'].includes(record.kind) ||
        (record.kind === 'CHILD' && bodyOf(record).status === 'COMPLETED') ||
        isSkip(record)),
  );

function doneState(end: SagaEvent): State {
  if (end.kind === 'SKIPPED') return State.LEFT_OUT;
  return end.kind === 'ACTION' ? State.SKIPPED : State.DONE;
}

function forward(
  { name, group }: Shape,
  saga: SagaLine,
  own: readonly SagaEvent[],
  end: SagaEvent | undefined,
  openGroup: number | undefined,
): State {
  if (end !== undefined) return doneState(end);
  if (group !== openGroup) return State.OPEN;
  if (FINAL.includes(saga.status)) return own.length > 0 ? State.FAILED : State.OPEN;
  if (saga.status === 'STUCK' && saga.step === name) return State.FAILED;
  if (own.at(-1)?.kind === 'WAITING') return State.WAITING;
  return own.length > 0 || saga.status === 'RUNNING' ? State.CURRENT : State.OPEN;
}

function backward(
  { name, kind }: Shape,
  saga: SagaLine,
  own: readonly SagaEvent[],
  end: SagaEvent | undefined,
  turned: SagaEvent,
  inDoubt: boolean,
): State {
  const after = own.filter(({ seq }) => seq > turned.seq);
  if (after.some((record) => record.kind === 'UNDO_DONE')) return State.UNDONE;
  if (after.some(isSkip)) return State.WAIVED;
  const isToUndo = kind === Kind.COMPENSATABLE && ((end !== undefined && doneState(end) === State.DONE) || inDoubt);
  if (isToUndo) {
    const isStuck = saga.status === 'STUCK' && saga.step === name;
    return isStuck || after.at(-1)?.kind === 'UNDO_GIVEN_UP' ? State.FAILED : State.TO_UNDO;
  }
  if (end !== undefined) return doneState(end);
  return own.length > 0 ? State.FAILED : State.OPEN;
}

function waitsFor(record: SagaEvent): string {
  const { child, signal, until } = bodyOf(record);
  if (typeof child === 'string') return `saga ${child}`;
  if (typeof signal === 'string') return `signal ${signal}`;
  return typeof until === 'number' ? 'its time' : 'a signal';
}
