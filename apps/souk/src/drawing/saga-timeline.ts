import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type SagaDetails,
  Saga_Direction as SagaDirection,
  type SagaRecord,
  type SagaStep,
  SagaStep_Kind as StepKind,
  SagaStep_State as StepState,
} from '@souk/contracts/admin/v1/sagas';
import { fit, type Piece } from './line.ts';
import type { Paint, Palette } from './palette.ts';
import { headerOf } from './saga-header.ts';
import { possibilities } from './saga-possibilities.ts';
import { span, timeOfDay } from './span.ts';

export interface DrawOptions {
  /** Characters of a line at most. */
  readonly width: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly palette: Palette;
}

/** A saga for people: who it is, what happened step by step, and what can be done where it is stuck. */
export function drawSaga(details: SagaDetails, options: DrawOptions): string[] {
  const { width } = options;
  const drawing = new Drawing(details, options);
  return [
    ...headerOf(details, options),
    '',
    ...drawing.lines().map((pieces) => fit(pieces, width)),
    ...possibilities(details, options),
  ];
}

type Line = readonly Piece[];

interface Block {
  /** Where it stands among the others. */
  readonly seq: number;
  readonly lines: readonly Line[];
}

const RAIL = '│   ';
/** Failed attempts in a row that are shown; of more only the first and the last ones are. */
const MOST_ATTEMPTS = 6;
const FIRST_ATTEMPTS = 2;
const LAST_ATTEMPTS = 3;

class Drawing {
  readonly #details: SagaDetails;
  readonly #nowMs: number;
  readonly #palette: Palette;
  readonly #startedMs: number;
  readonly #nameWidth: number;
  /** What belongs to a step and comes after this belongs to its undo. */
  readonly #turnedAt: number;

  constructor(details: SagaDetails, { nowMs, palette }: DrawOptions) {
    this.#details = details;
    this.#nowMs = nowMs;
    this.#palette = palette;
    this.#startedMs = msOf(details.saga?.startedAt) ?? nowMs;
    this.#nameWidth = Math.max(4, ...details.steps.map(({ name }) => name.length + 2));
    this.#turnedAt = details.records.find(isTurn)?.seq ?? Number.POSITIVE_INFINITY;
  }

  lines(): readonly Line[] {
    const { steps } = this.#details;
    const forward = steps.flatMap((step) => this.#forwardBlock(step));
    const undos = steps.flatMap((step) => this.#undoBlock(step));
    const rest = this.#details.records.flatMap((record) => this.#plainBlock(record));
    const blocks = [...forward, ...undos, ...rest].sort((a, b) => a.seq - b.seq);
    return [...blocks.flatMap(({ lines }) => lines), ...this.#openSteps()];
  }

  #forwardBlock(step: SagaStep): Block[] {
    const records = this.#of(step).filter(({ seq }) => seq < this.#turnedAt);
    const [first] = records;
    const isCurrent = step.state === StepState.CURRENT && this.#details.saga?.direction !== SagaDirection.BACKWARD;
    if (first === undefined && !isCurrent) return [];
    const done = records.find(({ kind }) => kind === 'STEP_DONE');
    const skipped = records.find((record) => actionOf(record) === 'skip');
    const end = done ?? skipped;
    const [symbol, paint] = this.#forwardSymbol(step, done, skipped);
    const head = [
      [`${symbol} `, paint] as const,
      [`${this.#groupMark(step)}${step.name}`.padEnd(this.#nameWidth), this.#palette.bold] as const,
      ...this.#timing(step, end ?? first),
      ...this.#remarks(step, records, end),
    ];
    return [{ seq: first?.seq ?? this.#lastSeq(), lines: [head, ...this.#happenings(records)] }];
  }

  #forwardSymbol(step: SagaStep, done: SagaRecord | undefined, skipped: SagaRecord | undefined): [string, Paint] {
    const { green, red, yellow } = this.#palette;
    if (done !== undefined) return ['✓', green];
    if (skipped !== undefined) return ['»', yellow];
    if (step.state === StepState.FAILED) return ['✗', red];
    if (step.state === StepState.CURRENT) return this.#waits(step) === undefined ? ['●', yellow] : ['◌', yellow];
    // It may have happened: it is taken back too.
    return this.#turnedAt < Number.POSITIVE_INFINITY && step.state !== StepState.OPEN ? ['?', yellow] : ['✗', red];
  }

  #undoBlock(step: SagaStep): Block[] {
    const { green, red, yellow } = this.#palette;
    const records = this.#of(step).filter(({ seq }) => seq > this.#turnedAt);
    const [first] = records;
    const toCome = step.state === StepState.TO_UNDO;
    const isStuck = step.state === StepState.FAILED && first !== undefined;
    if (first === undefined && !toCome) return [];
    const end = records.findLast(({ kind, actor }) => kind === 'UNDO_DONE' || actor !== '');
    const [symbol, paint]: [string, Paint] =
      step.state === StepState.UNDONE
        ? ['✓', green]
        : step.state === StepState.WAIVED
          ? ['»', yellow]
          : isStuck
            ? ['✗', red]
            : [first === undefined ? '○' : '●', yellow];
    const head = [
      [`${symbol} `, paint] as const,
      [`↶ ${step.name}`.padEnd(this.#nameWidth), this.#palette.bold] as const,
      ...this.#offset(end ?? first),
      ...this.#undoRemarks(step, records),
    ];
    // What is still to be taken back comes last, the latest step first.
    const seq = first?.seq ?? this.#lastSeq() + 1 - step.group / 1000;
    return [{ seq, lines: [head, ...this.#happenings(records)] }];
  }

  /** What is about the whole saga. */
  #plainBlock(record: SagaRecord): Block[] {
    const { yellow, bold, red } = this.#palette;
    const action = actionOf(record);
    if (record.kind === 'TURNED' || action === 'compensate' || action === 'cancel') {
      return [{ seq: record.seq, lines: [this.#turnLine(record, action)] }];
    }
    if (action !== undefined && !this.#isStep(record.step)) {
      return [{ seq: record.seq, lines: [[['» ', yellow], ...this.#actionText(record, action)]] }];
    }
    if (record.kind === 'STUCK' && !this.#isStep(record.error?.step ?? record.step)) {
      return [{ seq: record.seq, lines: [[['! ', red], ...this.#stuckText(record)]] }];
    }
    if (record.kind !== 'ENDED') return [];
    const status = this.#details.saga === undefined ? '' : endWord(this.#details);
    return [
      { seq: record.seq, lines: [[['■ ', bold], [status.padEnd(this.#nameWidth), bold], ...this.#offset(record)]] },
    ];
  }

  #turnLine(record: SagaRecord, action: string | undefined): Line {
    const { yellow, dim } = this.#palette;
    if (action !== undefined) return [['↶ ', yellow], ...this.#actionText(record, action)];
    const { step = '', reason = '', message = '' } = record.error ?? {};
    const why = [step === '' ? '' : `${step}: `, reason, message === '' ? '' : `, ${message}`].join('');
    return [
      ['↶ ', yellow],
      ['turned back', yellow],
      [` at ${at(record)}  ${why}`, dim],
    ];
  }

  /** Attempts that failed, what operators did, and each time it got stuck. */
  #happenings(records: readonly SagaRecord[]): readonly Line[] {
    const lines: Line[] = [];
    let failed: SagaRecord[] = [];
    const tellFailed = () => {
      lines.push(...this.#failures(failed));
      failed = [];
    };
    for (const record of records) {
      if (record.kind === 'STEP_FAILED' || record.kind === 'UNDO_FAILED') {
        failed.push(record);
        continue;
      }
      const action = actionOf(record);
      if (action !== undefined) {
        tellFailed();
        lines.push([[RAIL, this.#palette.dim], ...this.#actionText(record, action)]);
      } else if (record.kind === 'STUCK') {
        tellFailed();
        lines.push([[RAIL, this.#palette.dim], ...this.#stuckText(record)]);
      }
    }
    tellFailed();
    return lines;
  }

  #failures(failed: readonly SagaRecord[]): readonly Line[] {
    const { dim, red } = this.#palette;
    const line = (record: SagaRecord): Line => {
      const { reason = '', message = '' } = record.error ?? {};
      return [
        [RAIL, dim],
        [`#${record.attempt}`.padEnd(4), dim],
        `${at(record)}  `,
        [record.outcome.padEnd(8), red],
        `${reason}  `,
        [message, dim],
      ];
    };
    if (failed.length <= MOST_ATTEMPTS) return failed.map(line);
    const left = failed.length - FIRST_ATTEMPTS - LAST_ATTEMPTS;
    return [
      ...failed.slice(0, FIRST_ATTEMPTS).map(line),
      [[`${RAIL}… ${left} more`, dim]],
      ...failed.slice(-LAST_ATTEMPTS).map(line),
    ];
  }

  #actionText(record: SagaRecord, action: string): readonly Piece[] {
    const { yellow, dim } = this.#palette;
    return [
      [action.replace('_', ' '), yellow],
      [` by ${record.actor} at ${at(record)}: ${record.reason}`, dim],
    ];
  }

  #stuckText(record: SagaRecord): readonly Piece[] {
    const { red, dim } = this.#palette;
    const { reason = '', message = '' } = record.error ?? {};
    return [['stuck', red], [` at ${at(record)}  `, dim], reason, [`  ${message}`, dim]];
  }

  /** Steps that were not begun, while they still can be. */
  #openSteps(): readonly Line[] {
    const open = this.#details.steps.filter(({ state }) => state === StepState.OPEN);
    if (this.#details.saga?.direction === SagaDirection.BACKWARD || isOver(this.#details)) return [];
    return open.map((step) => [
      ['○ ', this.#palette.dim],
      [`${this.#groupMark(step)}${step.name}`.padEnd(this.#nameWidth), this.#palette.dim],
      [step.kind === StepKind.PIVOT ? '  point of no return' : '', this.#palette.dim],
    ]);
  }

  #remarks(step: SagaStep, records: readonly SagaRecord[], end: SagaRecord | undefined): readonly Piece[] {
    const { dim, yellow } = this.#palette;
    const attempts = Math.max(0, ...records.map(({ attempt }) => attempt));
    const waits = this.#waits(step);
    return [
      [step.kind === StepKind.PIVOT ? '  point of no return' : '', dim],
      [attempts > 1 ? `  ${attempts} attempts` : '', dim],
      [end?.kind !== 'STEP_DONE' && actionOf(end) === 'skip' ? '  skipped' : '', yellow],
      [waits === undefined ? '' : `  tries again in ${span(waits - this.#nowMs)}`, yellow],
      [step.state === StepState.CURRENT && waits === undefined ? '  under way' : '', yellow],
    ];
  }

  #undoRemarks(step: SagaStep, records: readonly SagaRecord[]): readonly Piece[] {
    const { dim, yellow } = this.#palette;
    const attempts = Math.max(0, ...records.map(({ attempt }) => attempt));
    const waits = this.#waits(step);
    const state =
      step.state === StepState.UNDONE
        ? 'taken back'
        : step.state === StepState.WAIVED
          ? 'waived'
          : step.state === StepState.FAILED
            ? 'not taken back'
            : 'to be taken back';
    return [
      [`  ${state}`, dim],
      [attempts > 1 ? `  ${attempts} attempts` : '', dim],
      [waits === undefined ? '' : `  tries again in ${span(waits - this.#nowMs)}`, yellow],
    ];
  }

  #timing(step: SagaStep, record: SagaRecord | undefined): readonly Piece[] {
    if (record === undefined) return [];
    const tookMs = (msOf(record.at) ?? this.#startedMs) - this.#begunMs(step);
    return [...this.#offset(record), [span(tookMs).padStart(10), this.#palette.dim]];
  }

  #offset(record: SagaRecord | undefined): readonly Piece[] {
    if (record === undefined) return [];
    const ms = (msOf(record.at) ?? this.#startedMs) - this.#startedMs;
    return [[`+${span(ms)}`.padStart(12), this.#palette.dim]];
  }

  /** A step can begin once the group before it is done. */
  #begunMs(step: SagaStep): number {
    const before = new Set(this.#details.steps.filter(({ group }) => group < step.group).map(({ name }) => name));
    const ends = this.#details.records
      .filter((record) => before.has(record.step) && (record.kind === 'STEP_DONE' || actionOf(record) === 'skip'))
      .map((record) => msOf(record.at) ?? this.#startedMs);
    return Math.max(this.#startedMs, ...ends);
  }

  /** @returns when it is tried again, in milliseconds since 1970, if that is to come */
  #waits(step: SagaStep): number | undefined {
    const ms = msOf(step.retryAt);
    return ms !== undefined && ms > this.#nowMs && !isOver(this.#details) ? ms : undefined;
  }

  #groupMark(step: SagaStep): string {
    const together = this.#details.steps.filter(({ group }) => group === step.group);
    if (together.length === 1) return '';
    const index = together.indexOf(step);
    return index === 0 ? '┬ ' : index === together.length - 1 ? '└ ' : '├ ';
  }

  #of({ name }: SagaStep): readonly SagaRecord[] {
    return this.#details.records.filter(
      (record) => !isTurn(record) && (record.step || record.error?.step || '') === name,
    );
  }

  #isStep(name: string): boolean {
    return this.#details.steps.some((step) => step.name === name);
  }

  #lastSeq(): number {
    return (this.#details.records.at(-1)?.seq ?? 0) + 1;
  }
}

/** `retry` for the record of an operator's RETRY. */
const actionOf = (record: SagaRecord | undefined): string | undefined =>
  record === undefined || record.actor === '' ? undefined : record.kind.replace(/^OPERATOR_/, '').toLowerCase();

const isTurn = (record: SagaRecord): boolean =>
  record.kind === 'TURNED' || ['compensate', 'cancel'].includes(actionOf(record) ?? '');

const isOver = ({ records }: SagaDetails): boolean => records.some(({ kind }) => kind === 'ENDED');

const endWord = ({ records, saga }: SagaDetails): string => {
  const ended = records.findLast(({ kind }) => kind === 'ENDED');
  if (ended !== undefined && ended.actor !== '') return 'given up';
  return saga?.direction === SagaDirection.BACKWARD ? 'taken back' : 'completed';
};

const at = (record: SagaRecord): string => timeOfDay(msOf(record.at) ?? 0);

const msOf = (at: Timestamp | undefined): number | undefined => (at === undefined ? undefined : timestampMs(at));
