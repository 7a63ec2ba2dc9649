import { type Context, fromUnknown } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import type { EventStore } from './event-store.ts';
import { concerns, tableNames } from './projection.ts';
import { describeFailure } from './projection-failure.ts';
import type { Followed } from './projection-work.ts';

/** An event that waits to be redriven. */
export interface ParkedEvent {
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  /** Why it failed; undefined: it waits behind one that did. */
  readonly error: string | undefined;
  readonly parkedAt: Date;
}

export interface Redriven {
  /** Events that were applied or handled. */
  readonly events: number;
  /** Streams that wait for nothing any more. */
  readonly streams: number;
  /** Streams whose first parked event failed again. */
  readonly failed: readonly { readonly stream: string; readonly error: string }[];
}

/** What operators do with events that could not be applied. */
export interface Parking {
  /** By stream and version. @param after The last stream of the page before. */
  list(ctx: Context, followed: Followed, page: { limit: number; after?: string | undefined }): Promise<ParkedEvent[]>;
  /** Applies parked events in their order, stream by stream; one that fails again keeps those behind it. */
  redrive(ctx: Context, followed: Followed, stream: string | undefined): Promise<Redriven>;
  /** Gives up the first parked event of a stream. @returns its version; undefined when none is parked */
  discard(ctx: Context, followed: Followed, stream: string): Promise<number | undefined>;
}

const LIST = `
  /* list-parked */
  SELECT p.stream, p.version, p.type, p.error, p.parked_at FROM souk.es_parked p
  JOIN souk.es_generation g USING (name, generation)
  WHERE p.name = $1 AND g.state = 'live' AND p.stream > $2 ORDER BY p.stream, p.version LIMIT $3`;

const STREAMS = `
  /* parked-streams-of */
  SELECT DISTINCT p.stream FROM souk.es_parked p JOIN souk.es_generation g USING (name, generation)
  WHERE p.name = $1 AND g.state = 'live' AND ($2::text IS NULL OR p.stream = $2) ORDER BY 1`;

// The lock keeps the stream's follower from parking another one behind the last.
const LOCK_PART = `
  /* lock-part-of-stream */
  SELECT FROM souk.es_checkpoint c JOIN souk.es_generation g USING (name, generation)
  WHERE c.name = $1 AND g.state = 'live' AND souk.es_partition($2, c.parts) = c.part FOR UPDATE OF c`;

const FIRST = `
  /* first-parked */
  SELECT p.version FROM souk.es_parked p JOIN souk.es_generation g USING (name, generation)
  WHERE p.name = $1 AND g.state = 'live' AND p.stream = $2 ORDER BY p.version LIMIT 1`;

const UNPARK = `
  /* unpark */
  DELETE FROM souk.es_parked p USING souk.es_generation g
  WHERE p.name = $1 AND g.name = p.name AND g.generation = p.generation AND g.state = 'live' AND p.stream = $2 AND p.version = $3`;

const NOTE = `
  /* note-parked */
  UPDATE souk.es_parked p SET error = $4 FROM souk.es_generation g
  WHERE p.name = $1 AND g.name = p.name AND g.generation = p.generation AND g.state = 'live' AND p.stream = $2 AND p.version = $3`;

interface ParkedRow {
  readonly stream: string;
  readonly version: bigint;
  readonly type: string;
  readonly error: string | null;
  readonly parked_at: Date;
}

export function createParking({ db, store }: { readonly db: Database; readonly store: EventStore }): Parking {
  const firstOf = async (sql: Sql, name: string, stream: string): Promise<number | undefined> => {
    const [row] = (await sql.query<{ version: bigint }>(FIRST, [name, stream])).rows;
    return row && Number(row.version);
  };

  /** Locks the part, then looks: what is first stays first until the transaction ends. */
  const lockedFirst = async (tx: Transaction, name: string, stream: string): Promise<number | undefined> => {
    await tx.query(LOCK_PART, [name, stream]);
    return firstOf(tx, name, stream);
  };

  const eventsAt = async (sql: Sql, followed: Followed, stream: string, version: number) => {
    const events = await store.read(sql, stream, { fromVersion: version, limit: 1 });
    return events.filter((event) => event.version === version && concerns(followed, event));
  };

  /** @returns whether there was one */
  const redriveFirst = async (ctx: Context, followed: Followed, stream: string): Promise<boolean> => {
    const { name } = followed;
    if (followed.kind === 'projection') {
      return db.tx(ctx, async (tx) => {
        const version = await lockedFirst(tx, name, stream);
        if (version === undefined) return false;
        await followed.apply(tx, await eventsAt(tx, followed, stream, version), tableNames(followed, false));
        await tx.query(UNPARK, [name, stream, version]);
        return true;
      });
    }
    const version = await firstOf(db.at(ctx), name, stream);
    if (version === undefined) return false;
    const events = await eventsAt(db.at(ctx), followed, stream, version);
    const leave = async (tx: Transaction): Promise<void> => {
      if ((await lockedFirst(tx, name, stream)) === version) await tx.query(UNPARK, [name, stream, version]);
    };
    let left = false;
    for (const [index, event] of events.entries()) {
      const isLast = index === events.length - 1;
      await followed.handler()(ctx, event, {
        attempt: 1,
        once: (work) =>
          db.tx(ctx, async (tx) => {
            if (isLast) await leave(tx);
            const result = await work(tx);
            tx.afterCommit(() => {
              left ||= isLast;
            });
            return result;
          }),
      });
    }
    if (!left) await db.tx(ctx, leave);
    return true;
  };

  return {
    list: async (ctx, { name }, { limit, after = '' }) =>
      (await db.at(ctx).query<ParkedRow>(LIST, [name, after, limit])).rows.map((row) => ({
        stream: row.stream,
        version: Number(row.version),
        type: row.type,
        error: row.error ?? undefined,
        parkedAt: row.parked_at,
      })),
    redrive: async (ctx, followed, stream) => {
      const { rows } = await db.at(ctx).query<{ stream: string }>(STREAMS, [followed.name, stream ?? null]);
      let events = 0;
      const failed: { stream: string; error: string }[] = [];
      for (const one of rows) {
        try {
          while (await redriveFirst(ctx, followed, one.stream)) events++;
        } catch (thrown) {
          ctx.throwIfDone();
          const failure = fromUnknown(thrown);
          const error = describeFailure(failure);
          ctx.log.warn('a parked event failed again', { projection: followed.name, stream: one.stream, err: failure });
          failed.push({ stream: one.stream, error });
          const version = await firstOf(db.at(ctx), followed.name, one.stream);
          if (version !== undefined) await db.at(ctx).query(NOTE, [followed.name, one.stream, version, error]);
        }
      }
      return { events, streams: rows.length - failed.length, failed };
    },
    discard: (ctx, { name }, stream) =>
      db.tx(ctx, async (tx) => {
        const version = await lockedFirst(tx, name, stream);
        if (version !== undefined) await tx.query(UNPARK, [name, stream, version]);
        return version;
      }),
  };
}
