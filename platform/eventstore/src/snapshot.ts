import { type Context, fromUnknown, type Runtime } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import { eventStoreErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import type { EventStore } from './event-store.ts';

/** How events of one kind of stream become a state that JSON can hold. */
export interface Fold<TState> {
  /** Its snapshots go by this. */
  readonly name: string;
  /**
   * Changes whenever `initial` or `evolve` does: snapshots made by other rules are not used. A version in words is enough, a hash of the
   * code is safer.
   */
  readonly hash: string;
  readonly initial: TState;
  /** Pure. */
  evolve(state: TState, event: RecordedEvent): TState;
}

/** A state and the version of the stream that led to it; 0 for no events. */
export interface Loaded<TState> {
  readonly state: TState;
  readonly version: number;
}

export interface Snapshots {
  /**
   * The state of a stream: from a snapshot and the events after it, or from all events. When more than `every` events had to be read, a
   * snapshot is taken afterwards, apart from the caller's transaction; that it fails is logged and costs the next reader time, no more. None
   * is taken of streams with encrypted personal data.
   *
   * @param lock Locks the stream first, as `readForUpdate` does.
   */
  load<TState>(
    sql: Sql | Transaction,
    fold: Fold<TState>,
    stream: string,
    options?: { readonly lock?: boolean },
  ): Promise<Loaded<TState>>;
  /** Deletes the snapshots of a stream, or of all: they are made anew. */
  drop(sql: Sql, stream?: string): Promise<void>;
  /** Resolves when the snapshots that are being taken are taken. */
  settled(): Promise<void>;
}

interface FoundRow {
  readonly own: string | null;
  readonly version: bigint | null;
  readonly state: unknown;
}

const FIND = `
  /* find-snapshot */
  SELECT pg_current_xact_id_if_assigned()::text AS own, s.version, s.state
  FROM (VALUES (1)) one LEFT JOIN souk.es_snapshot s ON s.stream = $1 AND s.fold = $2 AND s.hash = $3`;

const KEEP = `
  /* keep-snapshot */
  INSERT INTO souk.es_snapshot AS s (stream, fold, hash, version, state, at) VALUES ($1, $2, $3, $4, $5::jsonb, $6)
  ON CONFLICT (stream, fold) DO UPDATE
    SET hash = excluded.hash, version = excluded.version, state = excluded.state, at = excluded.at
    WHERE s.hash <> excluded.hash OR s.version < excluded.version`;

const DROP = `
  /* drop-snapshots */
  DELETE FROM souk.es_snapshot WHERE stream = coalesce($1, stream)`;

const EVERY = 100;

export function createSnapshots(init: {
  readonly store: EventStore;
  readonly db: Database;
  readonly runtime: Runtime;
  /** For writing snapshots: they outlive the call that caused them. */
  readonly ctx: Context;
  /** A snapshot is taken when more events than these were read. @default 100 */
  readonly every?: number;
}): Snapshots {
  const { store, db, runtime, ctx, every = EVERY } = init;
  /** By stream and fold: readers of the same stream at once need one snapshot. */
  const taking = new Map<string, Promise<void>>();

  const take = <TState>(fold: Fold<TState>, stream: string, { state, version }: Loaded<TState>): void => {
    const key = `${fold.name}\0${stream}`;
    if (taking.has(key)) return;
    const values = [stream, fold.name, fold.hash, version, asJson(fold.name, state), new Date(runtime.clock.now())];
    const work = db
      .at(ctx)
      .query(KEEP, values)
      .then(() => undefined)
      .catch((thrown: unknown) => {
        ctx.log.warn('a snapshot was not kept', { fold: fold.name, err: fromUnknown(thrown) });
      })
      .finally(() => taking.delete(key));
    taking.set(key, work);
  };

  return {
    load: async (sql, fold, stream, { lock = false } = {}) => {
      // Sent together, in this order.
      const locked = lock ? store.lockStreams(sql as Transaction, [stream]) : undefined;
      const [found] = await Promise.all([sql.query<FoundRow>(FIND, [stream, fold.name, fold.hash]), locked]);
      const from = found.rows[0];
      let version = Number(from?.version ?? 0);
      let state = (version === 0 ? fold.initial : from?.state) as typeof fold.initial;
      const known = version;
      let mayBeKept = true;
      for await (const page of store.readPages(sql, stream, { fromVersion: version + 1 })) {
        for (const event of page.events) {
          state = fold.evolve(state, event);
          // What this transaction has appended may yet be rolled back; what is personal must not be kept in the clear.
          if (event.metadata.personal !== undefined || event.position.xid.toString() === from?.own) mayBeKept = false;
        }
        version = page.version;
      }
      if (mayBeKept && version - known > every) take(fold, stream, { state, version });
      return { state, version };
    },
    drop: async (sql, stream) => {
      await sql.query(DROP, [stream ?? null]);
    },
    settled: async () => {
      await Promise.all(taking.values());
    },
  };
}

function asJson(fold: string, state: unknown): string {
  const json: string | undefined = JSON.stringify(state);
  if (json === undefined) throw eventStoreErrors.SNAPSHOT_INVALID({ fold });
  return json;
}
