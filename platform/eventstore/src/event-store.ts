import type { Context, Runtime } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import { createAllReader, type EventReader } from './all-reader.ts';
import { type Append, type AppendResult, type Prepared, prepare } from './append.ts';
import { meaningOf, resultOf, sendAppends } from './append-statement.ts';
import { type Appender, createAppender } from './appender.ts';
import { eventStoreErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import type { Position } from './position.ts';
import type { Shredder } from './shredder.ts';
import { createStreamLocks } from './stream-lock.ts';
import { createStreamReader, type ReadOptions, type StreamReader } from './stream-reader.ts';
import type { UpcasterChain } from './upcaster.ts';

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
  /**
   * Calls `listener` after each commit of an append that was made through this object. It must not throw.
   * @returns ends it
   */
  onAppended(listener: (position: Position) => void): () => void;
  /** Locks a stream and reads it, in one round trip: what is read stays true until the transaction ends. */
  readForUpdate(tx: Transaction, stream: string, options?: ReadOptions): Promise<RecordedEvent[]>;
}

export interface EventStoreOptions {
  readonly runtime: Runtime;
  /** Named in the metadata of events. */
  readonly service?: string;
  /** Make older events what they would be today, whenever they are read. */
  readonly upcasters?: UpcasterChain;
  /** Encrypts personal data. */
  readonly shredder?: Shredder;
}

export function createEventStore({ runtime, service, upcasters, shredder }: EventStoreOptions): EventStore {
  const locks = createStreamLocks();
  const appenders = new WeakMap<Database, Appender>();
  const listeners = new Set<(position: Position) => void>();
  const preparing = { runtime, service, schemaVersionOf: upcasters?.versionOf ?? (() => 1) };

  const present = async (sql: Sql, events: readonly RecordedEvent[]): Promise<readonly RecordedEvent[]> => {
    const personal = events.find(({ metadata }) => metadata.personal !== undefined);
    if (personal === undefined) return upcasters?.apply(events) ?? events;
    if (shredder === undefined) throw eventStoreErrors.SHREDDER_MISSING({ type: personal.type });
    const readable = await shredder.decrypt(sql, events);
    return upcasters?.apply(readable) ?? readable;
  };
  const streams = createStreamReader(present);

  const encrypted = async (sql: Sql, append: Append): Promise<Append> => {
    if (shredder === undefined) return append;
    // What is stored is in lower case, and the ciphertext is bound to it.
    const identified = append.events.map((event) => ({
      ...event,
      id: (event.id ?? runtime.ids.uuid()).toLowerCase(),
    }));
    const { events, fields } = await shredder.encrypt(sql, identified);
    return { ...append, events, metadata: { ...append.metadata, personal: fields } };
  };

  const prepareIn = async (sql: Sql, ctx: Context, append: Append): Promise<Prepared> => {
    if (!isPersonal(append)) return prepare(preparing, ctx, append);
    // Refused before a key is made.
    const { givenIds } = prepare(preparing, ctx, append);
    return { ...prepare(preparing, ctx, await encrypted(sql, append)), givenIds };
  };

  const isPersonal = ({ events }: Append): boolean => shredder?.concerns(events) ?? false;

  const appendAll = async (tx: Transaction, appends: readonly Append[]): Promise<AppendResult[]> => {
    if (appends.length === 0) return [];
    const names = appends.map(({ stream }) => stream);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw eventStoreErrors.INVALID_APPEND({ stream: twice, why: 'it is there twice' });
    // A new subject's key is a write: the streams come before it.
    if (appends.some(isPersonal)) locks.defer(tx, names);
    const prepared: Prepared[] = [];
    for (const append of appends) prepared.push(await prepareIn(tx, tx.ctx, append));
    const sending = prepared.map((one) => ({ ...one, locked: locks.holds(tx, one.stream) }));
    const happened = new Date(runtime.clock.now());
    const outcomes = await sendAppends(tx, sending, happened, { wait: true, whole: true }).catch((thrown: unknown) => {
      throw meaningOf(thrown);
    });
    locks.note(tx, names);
    // The first that does not hold says why none was written.
    for (const [index, one] of prepared.entries())
      if (outcomes[index]?.is !== 'skipped') resultOf(one, outcomes[index]);
    const results = prepared.map((one, index) => resultOf(one, outcomes[index]));
    if (listeners.size > 0) {
      tx.afterCommit(() => {
        for (const { position } of results) for (const listener of listeners) listener(position);
      });
    }
    return results;
  };

  return {
    ...createAllReader(present),
    ...streams,
    append: async (tx, append) => (await appendAll(tx, [append]))[0] as AppendResult,
    appendAll,
    appendAlone: async (db, ctx, append) => {
      const appender = appenders.get(db) ?? createAppender({ db, runtime });
      appenders.set(db, appender);
      const result = await appender.append(ctx, await prepareIn(db.at(ctx), ctx, append));
      for (const listener of listeners) listener(result.position);
      return result;
    },
    onAppended: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    lockStreams: (tx, names) => locks.lock(tx, names),
    readForUpdate: (tx, stream, options) => {
      // Two statements in one packet: the second sees what the lock waited for.
      locks.defer(tx, [stream]);
      return streams.read(tx, stream, options);
    },
  };
}
