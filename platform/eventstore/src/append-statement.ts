import { fromUnknown, hasReason } from '@souk/kernel';
import { type Sql, storeErrors } from '@souk/store';
import type { AppendResult, Prepared } from './append.ts';
import { eventStoreErrors } from './errors.ts';

const APPEND = `
  /* append-events */
  SELECT n, outcome, version, epoch, xid, position FROM souk.es_append(
    $1::text[], $2::bigint[], $3::integer[], $4::integer[], $5::text[],
    $6::integer[], $7::integer[], $8::uuid[], $9::text[], $10::smallint[], $11::text[],
    $12::integer[], $13::integer[], $14::uuid[], $15, $16, $17)`;

/** Flags of an append. */
const MUST_EXIST = 1;
const WAS_LOCKED = 2;

/** What the database did with one append. */
export type Outcome =
  | { readonly is: 'appended' | 'repeated'; readonly result: AppendResult }
  | { readonly is: 'wrong_version'; readonly actual: number }
  /**
   * Nothing, because: some of its ids were used otherwise; the transaction wrote before it locked the stream; a later transaction appended to
   * it; another one has it locked; another append of the same set did not hold.
   */
  | { readonly is: 'mixed' | 'not_locked' | 'behind' | 'busy' | 'skipped' };

interface OutcomeRow {
  readonly outcome: Outcome['is'];
  readonly version: bigint;
  readonly epoch: number | null;
  readonly xid: string | null;
  readonly position: bigint | null;
}

export interface Sending extends Prepared {
  /** The transaction locked the stream before. */
  readonly locked?: boolean;
  /** The ids may be there already. @default when the caller gave them */
  readonly repeated?: boolean;
}

export interface SendOptions {
  /** False: a stream that is locked by another transaction is `busy`. */
  readonly wait: boolean;
  /** All of them or none. */
  readonly whole: boolean;
}

/** Sends appends, one per stream. Outcomes come in the order of the appends. */
export async function sendAppends(
  sql: Sql,
  appends: readonly Sending[],
  happened: Date,
  { wait, whole }: SendOptions,
): Promise<Outcome[]> {
  const columns: string[] = Array.from({ length: 14 }, () => '');
  const add = (column: number, item: string | number): void => {
    const before = columns[column];
    columns[column] = before ? `${before},${item}` : String(item);
  };
  for (const [index, append] of appends.entries()) {
    const { expected, locked = false, repeated = append.givenIds } = append;
    add(0, append.streamItem);
    add(1, expected === 'none' ? 0 : typeof expected === 'number' ? expected : 'NULL');
    add(2, (expected === 'exists' ? MUST_EXIST : 0) | (locked ? WAS_LOCKED : 0));
    add(3, append.count);
    add(4, append.metadataItem);
    for (const [number, id] of append.ids.entries()) {
      add(5, index + 1);
      add(6, number + 1);
      add(7, id);
      if (!repeated) continue;
      add(11, index + 1);
      add(12, number + 1);
      add(13, id);
    }
    add(8, append.typeItems);
    add(9, append.schemaItems);
    add(10, append.dataItems);
  }
  const values = [...columns.map((items) => `{${items}}`), happened, wait, whole];
  const { rows } = await sql.query<OutcomeRow>(APPEND, values);
  return rows.map(toOutcome);
}

function toOutcome({ outcome, version, epoch, xid, position }: OutcomeRow): Outcome {
  switch (outcome) {
    case 'appended':
    case 'repeated': {
      const place = { epoch: epoch as number, xid: BigInt(xid as string), position: position as bigint };
      return { is: outcome, result: { version: Number(version), position: place } };
    }
    case 'wrong_version':
      return { is: outcome, actual: Number(version) };
    default:
      return { is: outcome };
  }
}

/** @throws what the caller of the append is told when it did not hold */
export function resultOf({ stream, expected }: Prepared, outcome: Outcome | undefined): AppendResult {
  switch (outcome?.is) {
    case 'appended':
    case 'repeated':
      return outcome.result;
    case 'wrong_version': {
      const { actual } = outcome;
      throw eventStoreErrors.WRONG_VERSION({ stream, expected, actual }, { details: { actual: String(actual) } });
    }
    case 'mixed':
      throw eventStoreErrors.EVENT_EXISTS({ stream });
    case 'not_locked':
      throw eventStoreErrors.STREAM_NOT_LOCKED({ stream });
    default:
      // Its transaction is older than the last event of the stream: run again, it is younger.
      throw storeErrors.CONFLICT({ sqlState: outcome?.is ?? 'unanswered' });
  }
}

/**
 * Two transactions that append the same ids at once cannot see each other: the later one fails on the unique index, and finds out what the
 * first did when it runs again.
 */
export function meaningOf(thrown: unknown): unknown {
  return hasReason(thrown, 'STORE_UNIQUE_VIOLATION')
    ? storeErrors.CONFLICT({ sqlState: '23505' }, { cause: fromUnknown(thrown) })
    : thrown;
}
