import type { Sql } from '@souk/store';
import type { RecordedEvent } from './event.ts';
import { EVENT_COLUMNS, type EventRow, toRecordedEvent } from './event-row.ts';

export interface ReadOptions {
  /** First version to read; the last one when reading backward. @default 1, or the newest when reading backward */
  readonly fromVersion?: number;
  /** Events at most. @default all */
  readonly limit?: number;
  /** @default 'forward' */
  readonly direction?: 'forward' | 'backward';
}

export interface PageOptions extends ReadOptions {
  /** Events of one page, from 1. @default 500 */
  readonly pageSize?: number;
}

/** A part of a stream. */
export interface StreamPage {
  readonly events: readonly RecordedEvent[];
  /** Of the last event that was read, whether upcasters left it or not. */
  readonly version: number;
}

/** Reads one stream. */
export interface StreamReader {
  /** The events of a stream in their order; none for a stream that does not exist. */
  read(sql: Sql, stream: string, options?: ReadOptions): Promise<RecordedEvent[]>;
  /** As `read`, in pages, for streams that are too long to hold. Events that are appended meanwhile are read too. */
  readStream(sql: Sql, stream: string, options?: PageOptions): AsyncIterable<RecordedEvent>;
  /** As `readStream`, page by page; nothing for a stream without events. */
  readPages(sql: Sql, stream: string, options?: PageOptions): AsyncIterable<StreamPage>;
}

const READ = {
  forward: `
  /* read-stream */
  SELECT ${EVENT_COLUMNS} FROM souk.es_event e
  WHERE e.stream = $1 AND e.version >= $2 ORDER BY e.stream, e.version LIMIT $3`,
  backward: `
  /* read-stream-backward */
  SELECT ${EVENT_COLUMNS} FROM souk.es_event e
  WHERE e.stream = $1 AND e.version <= $2 ORDER BY e.stream DESC, e.version DESC LIMIT $3`,
} as const;

const PAGE_SIZE = 500;

/** @param present What is done to events as they are read: upcasting, decryption. */
export function createStreamReader(
  present: (sql: Sql, events: readonly RecordedEvent[]) => Promise<readonly RecordedEvent[]>,
): StreamReader {
  const stored = async (sql: Sql, stream: string, options: ReadOptions): Promise<RecordedEvent[]> => {
    const { direction = 'forward', limit } = options;
    const from = options.fromVersion ?? (direction === 'forward' ? 1 : Number.MAX_SAFE_INTEGER);
    const { rows } = await sql.query<EventRow>(READ[direction], [stream, from, limit ?? null]);
    return rows.map(toRecordedEvent);
  };
  const readPages = async function* (sql: Sql, stream: string, options: PageOptions = {}): AsyncIterable<StreamPage> {
    const { direction = 'forward', pageSize = PAGE_SIZE } = options;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let from = options.fromVersion;
    while (left > 0) {
      const limit = Math.min(pageSize, left);
      const page = await stored(sql, stream, {
        direction,
        limit,
        ...(from === undefined ? {} : { fromVersion: from }),
      });
      const last = page.at(-1);
      if (last === undefined) return;
      yield { events: await present(sql, page), version: last.version };
      if (page.length < limit) return;
      left -= page.length;
      from = direction === 'forward' ? last.version + 1 : last.version - 1;
    }
  };
  return {
    read: async (sql, stream, options = {}) => [...(await present(sql, await stored(sql, stream, options)))],
    readStream: async function* (sql, stream, options) {
      for await (const { events } of readPages(sql, stream, options)) yield* events;
    },
    readPages,
  };
}
