import { type Context, hasReason, type Runtime } from '@souk/kernel';
import type { Database, QueryResult, Sql, Transaction } from '@souk/store';
import { formatTraceparent } from '@souk/telemetry';
import { createAllReader, type EventReader } from './all-reader.ts';
import { eventStoreErrors } from './errors.ts';
import type { EventMetadata, NewEvent, StoredEvent } from './event.ts';
import { APPEND, READ, VERSION } from './sql.ts';

/**
 * `none`: the stream must not exist. `exists`: it must. `any`: whatever it is. A number: its version must be this; 0 is `none`.
 */
export type ExpectedVersion = 'none' | 'any' | 'exists' | number;

export interface Append {
  /** 1 to 255 characters. */
  readonly stream: string;
  /** 1 to 500; all are appended or none. */
  readonly events: readonly NewEvent[];
  readonly expected: ExpectedVersion;
  readonly metadata?: EventMetadata;
}

export interface ReadOptions {
  /** First version to read. @default 1 */
  readonly fromVersion?: number;
}

/** Streams of events in a service's own database. */
export interface EventStore extends EventReader {
  /**
   * Appends to one stream in the caller's transaction, in one statement. Versions of a stream have no gaps. The stream is locked until the
   * transaction ends: append to several streams of one transaction in a fixed order.
   *
   * @returns the version of the stream after it
   * @throws EVENTSTORE_WRONG_VERSION (details.actual: the version found, 0 for none), with nothing appended and the transaction still
   * usable; EVENTSTORE_EVENT_EXISTS for an event id that is there already; EVENTSTORE_INVALID_APPEND
   */
  append(tx: Transaction, append: Append): Promise<number>;
  /** As `append`, as a transaction of its own: one round trip. */
  appendAlone(db: Database, ctx: Context, append: Append): Promise<number>;
  /** The events of a stream in their order; none for a stream that does not exist. */
  read(sql: Sql, stream: string, options?: ReadOptions): Promise<StoredEvent[]>;
}

const MAX_EVENTS = 500;
const MAX_STREAM_CHARACTERS = 255;

/** Version of a stream without events. */
const NO_STREAM = 0;

interface VersionRow {
  readonly version: bigint;
}

interface EventRow {
  readonly version: bigint;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: unknown;
  readonly metadata: EventMetadata;
  readonly at: Date;
}

export function createEventStore({ runtime }: { readonly runtime: Runtime }): EventStore {
  const run = async (sql: Sql, ctx: Context, append: Append): Promise<number> => {
    check(append);
    const { stream, events, expected } = append;
    const wanted = expected === 'none' ? NO_STREAM : typeof expected === 'number' ? expected : null;
    const metadata = { traceparent: formatTraceparent(ctx.trace), ...append.metadata };
    const values = [
      stream,
      wanted,
      expected === 'exists',
      events.map(({ id }) => id ?? runtime.ids.uuid()),
      events.map(({ type }) => type),
      events.map(({ schemaVersion }) => schemaVersion ?? 1),
      events.map((event) => toText(stream, event)),
      JSON.stringify(metadata),
      new Date(runtime.clock.now()),
    ];
    const version = await versionIn(sql.query<VersionRow>(APPEND, values), stream);
    if (version !== undefined) return version;
    const actual = (await versionIn(sql.query<VersionRow>(VERSION, [stream]), stream)) ?? NO_STREAM;
    throw eventStoreErrors.WRONG_VERSION({ stream, expected, actual }, { details: { actual: String(actual) } });
  };

  return {
    ...createAllReader(async (_sql, events) => events),
    append: (tx, append) => run(tx, tx.ctx, append),
    appendAlone: (db, ctx, append) => run(db.at(ctx), ctx, append),
    read: async (sql, stream, { fromVersion = 1 } = {}) => {
      const { rows } = await sql.query<EventRow>(READ, [stream, fromVersion]);
      return rows.map((row) => ({
        stream,
        version: Number(row.version),
        id: row.event_id,
        type: row.type,
        schemaVersion: row.schema_version,
        data: row.data,
        metadata: row.metadata,
        at: row.at,
      }));
    },
  };
}

function check({ stream, events, expected }: Append): void {
  const why = problem(stream, events, expected);
  if (why !== undefined) throw eventStoreErrors.INVALID_APPEND({ stream, why });
}

function problem(stream: string, events: readonly NewEvent[], expected: ExpectedVersion): string | undefined {
  if (stream === '' || stream.length > MAX_STREAM_CHARACTERS)
    return `its name must have 1 to ${MAX_STREAM_CHARACTERS} characters`;
  if (events.length === 0 || events.length > MAX_EVENTS) return `want 1 to ${MAX_EVENTS} events, got ${events.length}`;
  if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    return `the expected version must be a whole number from 0, got ${expected}`;
  }
  return undefined;
}

function toText(stream: string, { type, data }: NewEvent): string {
  const text: string | undefined = JSON.stringify(data);
  if (text === undefined) {
    throw eventStoreErrors.INVALID_APPEND({ stream, why: `the data of ${type} is nothing that JSON can hold` });
  }
  return text;
}

async function versionIn(answer: Promise<QueryResult<VersionRow>>, stream: string): Promise<number | undefined> {
  try {
    const [row] = (await answer).rows;
    return row === undefined ? undefined : Number(row.version);
  } catch (error) {
    if (hasReason(error, 'STORE_UNIQUE_VIOLATION')) throw eventStoreErrors.EVENT_EXISTS({ stream }, { cause: error });
    throw error;
  }
}
