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

/** Reads one stream. */
export interface StreamReader {
  /** The events of a stream in their order; none for a stream that does not exist. */
  read(sql: Sql, stream: string, options?: ReadOptions): Promise<RecordedEvent[]>;
  /** As `read`, in pages, for streams that are too long to hold. Events that are appended meanwhile are read too. */
  readStream(
    sql: Sql,
    stream: string,
    options?: ReadOptions & { readonly pageSize?: number },
  ): AsyncIterable<RecordedEvent>;
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
  return {
    read: async (sql, stream, options = {}) => [...(await present(sql, await stored(sql, stream, options)))],
    readStream: async function* (sql, stream, options = {}) {
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
        yield* await present(sql, page);
        const last = page.at(-1);
        if (last === undefined || page.length < limit) return;
        left -= page.length;
        from = direction === 'forward' ? last.version + 1 : last.version - 1;
      }
    },
  };
}
