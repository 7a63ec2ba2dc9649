import type { Sql } from '@souk/store';
import { eventStoreErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import { type EventRow, toRecordedEvent } from './event-row.ts';
import { comparePositions, encodePosition, type Position, START } from './position.ts';
import { HEAD, READ_ALL } from './read-sql.ts';

export interface ReadAllOptions {
  /** Not this one, but those after it; before it when reading backward. @default the beginning; the head when reading backward */
  readonly after?: Position | undefined;
  /** Events at most, from 1 to 10000. */
  readonly limit: number;
  /** Streams whose name up to the first `-` is this. */
  readonly category?: string | undefined;
  /** Streams of one of `of` parts; a stream is always in the same. `index` from 0. */
  readonly partition?: { readonly index: number; readonly of: number } | undefined;
  /** @default 'forward' */
  readonly direction?: 'forward' | 'backward' | undefined;
  /**
   * `settled`: up to the oldest transaction that still writes; what comes later has a later position, so a cursor misses nothing.
   * `committed`: all that is there; for people who look, not for cursors. @default 'settled'
   */
  readonly upTo?: 'settled' | 'committed' | undefined;
}

export interface Page {
  readonly events: readonly RecordedEvent[];
  /** Where to go on: the `after` of the next read. It moves past events that the filter leaves out. */
  readonly next: Position;
  /** True when there was nothing more to read; backward: when the beginning was reached. */
  readonly head: boolean;
}

/** Reads the events of all streams in one order that is the same for every reader. Never waits for a writer, nor lets one wait. */
export interface EventReader {
  /**
   * @throws EVENTSTORE_CURSOR_AHEAD when `after` comes after the last event of the store: it is of another store, or of a
   * later state of this one
   */
  readAll(sql: Sql, options: ReadAllOptions): Promise<Page>;
  /** The last position that is safe to read up to; START when there is none. */
  headPosition(sql: Sql): Promise<Position>;
}

interface PageRow extends EventRow {
  readonly head_epoch: number | null;
  readonly head_xid: string | null;
  readonly head_position: bigint | null;
  readonly known: boolean;
}

const MAX_LIMIT = 10_000;

/** After all events. */
const END: Position = Object.freeze({ epoch: 0x7fffffff, xid: 0n, position: 0n });

/** @param present What is done to events as they are read: upcasting, decryption. */
export function createAllReader(
  present: (sql: Sql, events: readonly RecordedEvent[]) => Promise<readonly RecordedEvent[]>,
): EventReader {
  return {
    readAll: async (sql, options) => {
      const { category, partition, direction = 'forward', upTo = 'settled' } = options;
      const limit = Math.max(1, Math.min(MAX_LIMIT, Math.trunc(options.limit)));
      const after = options.after ?? (direction === 'forward' ? START : END);
      const { rows } = await sql.query<PageRow>(READ_ALL[direction][category === undefined ? 'all' : 'category'], [
        after.epoch,
        after.xid.toString(),
        after.position,
        limit,
        upTo === 'committed',
        partition?.of ?? null,
        partition?.index ?? null,
        ...(category === undefined ? [] : [category]),
      ]);
      const first = rows[0];
      const head = first === undefined ? START : headOf(first);
      const found = rows.filter(({ version }) => version !== null).map(toRecordedEvent);
      if (direction === 'forward' && first?.known === false && comparePositions(after, START) > 0) {
        throw eventStoreErrors.CURSOR_AHEAD({
          cursor: encodePosition(after),
          head: encodePosition(head),
        });
      }
      const last = found.at(-1)?.position;
      const exhausted = found.length < limit;
      const end = direction === 'backward' ? START : later(after, head);
      return {
        events: await present(sql, found),
        next: exhausted || last === undefined ? end : last,
        head: exhausted,
      };
    },
    headPosition: async (sql) => {
      const { rows } = await sql.query<PageRow>(HEAD);
      return rows[0] === undefined ? START : headOf(rows[0]);
    },
  };
}

const headOf = ({ head_epoch, head_xid, head_position }: PageRow): Position =>
  head_epoch === null || head_xid === null || head_position === null
    ? START
    : { epoch: head_epoch, xid: BigInt(head_xid), position: head_position };

const later = (left: Position, right: Position): Position => (comparePositions(left, right) >= 0 ? left : right);
