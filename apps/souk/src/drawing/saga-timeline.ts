import {
  type SagaDetails,
  Saga_Direction as SagaDirection,
  type SagaRecord,
  Saga_Status as SagaStatus,
  type SagaStep,
  SagaStep_Kind as StepKind,
  SagaStep_State as StepState,
} from '@souk/contracts/admin/v1/sagas';
import { fit, type Piece } from './line.ts';
import type { Paint, Palette } from './palette.ts';
import { happenings } from './saga-happenings.ts';
import { headerOf } from './saga-header.ts';
import { possibilities } from './saga-possibilities.ts';
import { actionOf, endsStep, isOver, isTurn, msOf, stepOf, together } from './saga-records.ts';
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
  const timeline = new Timeline(details, options).lines();
  return [
    ...headerOf(details, options),
    '',
    ...timeline.map((pieces) => fit(pieces, options.width)),
    ...possibilities(details, options),
  ];
}

type Line = readonly Piece[];

/** Lines that stand together, at the place of a record. */
interface Block {
  readonly seq: number;
  readonly lines: readonly Line[];
}

const END_WORDS: Readonly<Record<number, string>> = {
  [SagaStatus.COMPLETED]: 'completed',
  [SagaStatus.COMPENSATED]: 'taken back',
  [SagaStatus.TERMINATED]: 'given up',
};

class Timeline {
  readonly #details: SagaDetails;
  readonly #nowMs: number;
  readonly #palette: Palette;
  readonly #startedMs: number;
  readonly #nameWidth: number;
  /** What belongs to a step and comes after this belongs to its undo. */
  readonly #turnedAt: number;
  /** Behind all records. */
  readonly #last: number;

  constructor(details: SagaDetails, { nowMs, palette }: DrawOptions) {
    this.#details = details;
    this.#nowMs = nowMs;
    this.#palette = palette;
    this.#startedMs = msOf(details.saga?.startedAt) ?? nowMs;
    this.#nameWidth = Math.max(4, ...details.steps.map(({ name }) => name.length + 2));
    this.#turnedAt = details.records.find(isTurn)?.seq ?? Number.POSITIVE_INFINITY;
    this.#last = (details.records.at(-1)?.seq ?? 0) + 1;
  }

  lines(): readonly Line[] {
    const { steps, records } = this.#details;
    const blocks = [
      ...steps.flatMap((step) => this.#forward(step)),
      ...steps.flatMap((step) => this.#undo(step)),
      ...records.flatMap((record) => this.#whole(record)),
    ].sort((a, b) => a.seq - b.seq);
    return [...blocks.flatMap(({ lines }) => lines), ...this.#open()];
  }

  #forward(step: SagaStep): Block[] {
    const records = this.#of(step).filter(({ seq }) => seq < this.#turnedAt);
    const [first] = records;
    const isNow = [StepState.CURRENT, StepState.WAITING].includes(step.state) && this.#turnedAt > this.#last;
    if (first === undefined && !isNow) return [];
    const end = records.find(endsStep);
    const [symbol, paint] = this.#symbol(step, end);
    const head: Line = [
      [`${symbol} `, paint],
      [`${this.#groupMark(step)}${step.name}`.padEnd(this.#nameWidth), this.#palette.bold],
      ...this.#timing(step, end ?? records.findLast((one) => actionOf(one) === undefined)),
      ...this.#remarks(step, records, end),
    ];
    return [{ seq: this.#placeOf(step), lines: [head, ...happenings(records, this.#palette)] }];
  }

  #undo(step: SagaStep): Block[] {
    const records = this.#of(step).filter(({ seq }) => seq > this.#turnedAt);
    const [first] = records;
    if (first === undefined && step.state !== StepState.TO_UNDO) return [];
    const { green, red, yellow, dim } = this.#palette;
    const looks: Partial<Record<StepState, readonly [string, Paint, string]>> = {
      [StepState.UNDONE]: ['✓', green, 'taken back'],
      [StepState.WAIVED]: ['»', yellow, 'waived'],
      [StepState.FAILED]: ['✗', red, 'not taken back'],
    };
    const toCome = isOver(this.#details) ? 'left as it was' : 'to be taken back';
    const [symbol, paint, word] = looks[step.state] ?? [first === undefined ? '○' : '●', yellow, toCome];
    const head: Line = [
      [`${symbol} `, paint],
      [`↶ ${step.name}`.padEnd(this.#nameWidth), this.#palette.bold],
      ...this.#offset(records.findLast((one) => one.kind === 'UNDO_DONE' || actionOf(one) === 'skip') ?? first),
      [`  ${word}`, dim],
      ...this.#tries(step, records),
    ];
    // What is still to be taken back comes last, the latest step first.
    const seq = first?.seq ?? this.#last - step.group / 1000;
    return [{ seq, lines: [head, ...happenings(records, this.#palette)] }];
  }

  /** What is about the whole saga. */
  #whole(record: SagaRecord): Block[] {
    const { yellow, bold, red } = this.#palette;
    const { seq } = record;
    if (isTurn(record)) return [{ seq, lines: [this.#turn(record)] }];
    const isAboutStep = this.#details.steps.some(({ name }) => name === stepOf(record));
    const [text] = isAboutStep ? [] : happenings([record], this.#palette, '');
    if (text !== undefined) {
      return [{ seq, lines: [[record.kind === 'STUCK' ? ['! ', red] : ['» ', yellow], ...text]] }];
    }
    if (record.kind !== 'ENDED') return [];
    const word = END_WORDS[this.#details.saga?.status ?? 0] ?? '';
    return [
      {
        seq: Number.POSITIVE_INFINITY,
        lines: [[['■ ', bold], [word.padEnd(this.#nameWidth), bold], ...this.#offset(record)]],
      },
    ];
  }

  #turn(record: SagaRecord): Line {
    const { yellow, dim } = this.#palette;
    const { step = '', reason = '', message = '' } = record.error ?? {};
    const why = [step === '' ? '' : `${step}: `, reason, message === '' ? '' : `, ${message}`].join('');
    return [
      ['↶ ', yellow],
      ['turned back', yellow],
      [` at ${timeOfDay(msOf(record.at) ?? 0)}  ${why}`, dim],
    ];
  }

  /** Steps that were not begun, while they still can be. */
  #open(): readonly Line[] {
    if (this.#details.saga?.direction === SagaDirection.BACKWARD || isOver(this.#details)) return [];
    const { dim } = this.#palette;
    return this.#details.steps
      .filter(({ state }) => state === StepState.OPEN)
      .map((step) => [
        ['○ ', dim],
        [`${this.#groupMark(step)}${step.name}`.padEnd(this.#nameWidth), dim],
        [step.kind === StepKind.PIVOT ? '  point of no return' : '', dim],
      ]);
  }

  #symbol(step: SagaStep, end: SagaRecord | undefined): readonly [string, Paint] {
    const { green, red, yellow, dim } = this.#palette;
    if (end?.kind === 'SKIPPED') return ['–', dim];
    if (end !== undefined) return actionOf(end) === 'skip' ? ['»', yellow] : ['✓', green];
    if (step.state === StepState.WAITING || this.#waits(step) !== undefined) return ['◌', yellow];
    if (step.state === StepState.CURRENT) return ['●', yellow];
    // Its outcome is not known, so it is taken back too.
    const inDoubt = [StepState.TO_UNDO, StepState.UNDONE, StepState.WAIVED].includes(step.state);
    return inDoubt ? ['?', yellow] : ['✗', red];
  }

  #remarks(step: SagaStep, records: readonly SagaRecord[], end: SagaRecord | undefined): readonly Piece[] {
    const { dim, yellow } = this.#palette;
    const isWaiting = step.state === StepState.WAITING;
    return [
      [step.kind === StepKind.PIVOT ? '  point of no return' : '', dim],
      [actionOf(end) === 'skip' ? '  skipped' : '', yellow],
      [end?.kind === 'SKIPPED' ? '  left out' : '', dim],
      [isWaiting && step.waitsFor !== '' ? `  waits for ${step.waitsFor}` : '', yellow],
      ...this.#tries(step, records),
      [step.state === StepState.CURRENT && this.#waits(step) === undefined ? '  under way' : '', yellow],
    ];
  }

  /** How often it was tried, and when it goes on. */
  #tries(step: SagaStep, records: readonly SagaRecord[]): readonly Piece[] {
    const attempts = Math.max(0, ...records.map(({ attempt }) => attempt));
    const waits = this.#waits(step);
    const again = step.state === StepState.WAITING ? 'at most' : 'tries again in';
    return [
      [attempts > 1 ? `  ${attempts} attempts` : '', this.#palette.dim],
      [waits === undefined ? '' : `  ${again} ${span(waits - this.#nowMs)}`, this.#palette.yellow],
    ];
  }

  #timing(step: SagaStep, record: SagaRecord | undefined): readonly Piece[] {
    if (record === undefined) return [];
    const tookMs = (msOf(record.at) ?? this.#startedMs) - this.#begunMs(step);
    return [...this.#offset(record), [span(tookMs).padStart(12), this.#palette.dim]];
  }

  #offset(record: SagaRecord | undefined): readonly Piece[] {
    if (record === undefined) return [];
    const ms = (msOf(record.at) ?? this.#startedMs) - this.#startedMs;
    return [[`+${span(ms)}`.padStart(14), this.#palette.dim]];
  }

  /** A step can begin once the group before it is done. */
  #begunMs(step: SagaStep): number {
    const before = new Set(this.#details.steps.filter(({ group }) => group < step.group).map(({ name }) => name));
    const ends = this.#details.records
      .filter((record) => before.has(record.step) && endsStep(record) && record.seq < this.#turnedAt)
      .map((record) => msOf(record.at) ?? this.#startedMs);
    return Math.max(this.#startedMs, ...ends);
  }

  /** @returns when it goes on, in milliseconds since 1970, if that is to come */
  #waits(step: SagaStep): number | undefined {
    const ms = msOf(step.retryAt);
    return ms !== undefined && ms > this.#nowMs && !isOver(this.#details) ? ms : undefined;
  }

  #groupMark(step: SagaStep): string {
    const group = together(this.#details, step);
    if (group.length === 1) return '';
    const index = group.indexOf(step);
    return index === 0 ? '┬ ' : index === group.length - 1 ? '└ ' : '├ ';
  }

  /** Steps that run at once stand together, in the order of their definition. */
  #placeOf(step: SagaStep): number {
    const group = together(this.#details, step);
    const seqs = group.flatMap((one) => this.#of(one).map(({ seq }) => seq));
    return Math.min(this.#last, ...seqs) + group.indexOf(step) / 1000;
  }

  #of({ name }: SagaStep): readonly SagaRecord[] {
    return this.#details.records.filter((record) => !isTurn(record) && stepOf(record) === name);
  }
}
