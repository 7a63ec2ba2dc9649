import type { Context, Runtime } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import { createAllReader, type EventReader } from './all-reader.ts';
import { type Append, type AppendResult, prepare } from './append.ts';
import { meaningOf, resultOf, sendAppends } from './append-statement.ts';
import { type Appender, createAppender } from './appender.ts';
import { eventStoreErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import { createStreamLocks } from './stream-lock.ts';
import { createStreamReader, type ReadOptions, type StreamReader } from './stream-reader.ts';

/** Streams of events in a service's own database. */
export interface EventStore extends EventReader, StreamReader {
  /**
   * Appends to one stream in the caller's transaction, in one statement. Versions of a stream have no gaps. The stream is locked until the
   * transaction ends. It is the first write of its transaction, or the stream was locked before by `lockStreams`, `readForUpdate` or
   * another append.
   *
   * @throws EVENTSTORE_WRONG_VERSION (details.actual: the version found, 0 for none) and EVENTSTORE_EVENT_EXISTS, with nothing appended and
   * the transaction still usable; EVENTSTORE_STREAM_NOT_LOCKED; EVENTSTORE_INVALID_APPEND; STORE_CONFLICT when a later transaction
   * appended to the stream before it was locked: `db.tx` runs the work again
   */
  append(tx: Transaction, append: Append): Promise<AppendResult>;
  /**
   * Appends to several streams in the caller's transaction, in one statement: to all or none.
   * @returns results in the order of `appends`
   * @throws as `append`, for the first that does not hold
   */
  appendAll(tx: Transaction, appends: readonly Append[]): Promise<readonly AppendResult[]>;
  /** As `append`, as a transaction of its own, together with what others append at the same time. */
  appendAlone(db: Database, ctx: Context, append: Append): Promise<AppendResult>;
  /**
   * Locks streams until the transaction ends, existing or not, in an order that cannot deadlock with others that do so once. To be called
   * before anything is written.
   */
  lockStreams(tx: Transaction, streams: readonly string[]): Promise<void>;
  /** Locks a stream and reads it, in one round trip: what is read stays true until the transaction ends. */
  readForUpdate(tx: Transaction, stream: string, options?: ReadOptions): Promise<RecordedEvent[]>;
}

export interface EventStoreOptions {
  readonly runtime: Runtime;
  /** Named in the metadata of events. */
  readonly service?: string;
}

export function createEventStore({ runtime, service }: EventStoreOptions): EventStore {
  const locks = createStreamLocks();
  const appenders = new WeakMap<Database, Appender>();
  const preparing = { runtime, service, schemaVersionOf: () => 1 };
  const present = async <T>(_sql: Sql, events: T): Promise<T> => events;
  const streams = createStreamReader(present);

  const appendAll = async (tx: Transaction, appends: readonly Append[]): Promise<AppendResult[]> => {
    if (appends.length === 0) return [];
    const prepared = appends.map((append) => prepare(preparing, tx.ctx, append));
    const names = prepared.map(({ stream }) => stream);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw eventStoreErrors.INVALID_APPEND({ stream: twice, why: 'it is there twice' });
    const sending = prepared.map((one) => ({ ...one, locked: locks.holds(tx, one.stream) }));
    const happened = new Date(runtime.clock.now());
    const outcomes = await sendAppends(tx, sending, happened, { wait: true, whole: true }).catch((thrown: unknown) => {
      throw meaningOf(thrown);
    });
    locks.note(tx, names);
    // The first that does not hold says why none was written.
    for (const [index, one] of prepared.entries())
      if (outcomes[index]?.is !== 'skipped') resultOf(one, outcomes[index]);
    return prepared.map((one, index) => resultOf(one, outcomes[index]));
  };

  return {
    ...createAllReader(present),
    ...streams,
    append: async (tx, append) => (await appendAll(tx, [append]))[0] as AppendResult,
    appendAll,
    appendAlone: async (db, ctx, append) => {
      const appender = appenders.get(db) ?? createAppender({ db, runtime });
      appenders.set(db, appender);
      return appender.append(ctx, prepare(preparing, ctx, append));
    },
    lockStreams: (tx, names) => locks.lock(tx, names),
    readForUpdate: (tx, stream, options) => {
      // Two statements in one packet: the second sees what the lock waited for.
      locks.defer(tx, [stream]);
      return streams.read(tx, stream, options);
    },
  };
}
