import type { SagaRecord } from '@souk/contracts/admin/v1/sagas';
import type { Piece } from './line.ts';
import type { Palette } from './palette.ts';
import { actionOf, msOf } from './saga-records.ts';
import { timeOfDay } from './span.ts';

type Line = readonly Piece[];

const RAIL = '│   ';
/** Failed attempts in a row that are shown; of more only the first and the last ones are. */
const MOST_ATTEMPTS = 6;
const FIRST_ATTEMPTS = 2;
const LAST_ATTEMPTS = 3;

/** Attempts that failed, what operators did, and each time it got stuck: a line each, behind a rail. */
export function happenings(records: readonly SagaRecord[], palette: Palette, rail = RAIL): readonly Line[] {
  const lines: Line[] = [];
  let failed: SagaRecord[] = [];
  const put = (line: Line): void => {
    lines.push(...attempts(failed, palette), rail === '' ? line : [[rail, palette.dim], ...line]);
    failed = [];
  };
  for (const record of records) {
    const action = actionOf(record);
    if (action !== undefined) put(actionLine(record, action, palette));
    else if (record.kind === 'STUCK') put(troubleLine('stuck', record, palette));
    else if (record.kind === 'UNDO_GIVEN_UP') put(troubleLine('left for a person', record, palette));
    else if (record.kind.endsWith('_FAILED')) failed.push(record);
  }
  return [...lines, ...attempts(failed, palette)];
}

function attempts(failed: readonly SagaRecord[], palette: Palette): readonly Line[] {
  const { dim, red } = palette;
  const line = (record: SagaRecord): Line => {
    const { reason = '', message = '' } = record.error ?? {};
    return [
      [RAIL, dim],
      [`#${record.attempt}`.padEnd(4), dim],
      `${at(record)}  `,
      [record.outcome.padEnd(8), red],
      ` ${reason}  `,
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

function actionLine(record: SagaRecord, action: string, { yellow, dim }: Palette): Line {
  const refused = record.outcome === 'refused' ? ' (refused)' : '';
  return [
    [`${action}${refused}`, yellow],
    [` by ${record.actor} at ${at(record)}: ${record.reason}`, dim],
  ];
}

function troubleLine(word: string, record: SagaRecord, { red, dim }: Palette): Line {
  const { reason = '', message = '' } = record.error ?? {};
  return [[word, red], [` at ${at(record)}  `, dim], reason, [`  ${message}`, dim]];
}

const at = (record: SagaRecord): string => timeOfDay(msOf(record.at) ?? 0);
