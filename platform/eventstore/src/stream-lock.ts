import type { Transaction } from '@souk/store';

/** In the order of the hashes, as appends do: who waits for one holds none that comes after it. */
const LOCK = `
  /* lock-streams */
  SELECT pg_advisory_xact_lock(q.h) FROM (
    SELECT DISTINCT hashtextextended(s, 42) AS h FROM unnest($1::text[]) s ORDER BY 1
  ) q`;

/** Which streams which transaction has locked. */
export interface StreamLocks {
  /** Sends the lock with the next statement of the transaction: no round trip of its own. */
  defer(tx: Transaction, streams: readonly string[]): void;
  lock(tx: Transaction, streams: readonly string[]): Promise<void>;
  holds(tx: Transaction, stream: string): boolean;
  /** To be called for streams that were locked by an append. */
  note(tx: Transaction, streams: readonly string[]): void;
}

export function createStreamLocks(): StreamLocks {
  const locked = new WeakMap<Transaction, Set<string>>();
  const note = (tx: Transaction, streams: readonly string[]): void => {
    const held = locked.get(tx) ?? new Set();
    for (const stream of streams) held.add(stream);
    locked.set(tx, held);
  };
  return {
    note,
    holds: (tx, stream) => locked.get(tx)?.has(stream) ?? false,
    defer: (tx, streams) => {
      tx.defer(LOCK, [streams]);
      note(tx, streams);
    },
    lock: async (tx, streams) => {
      await tx.query(LOCK, [streams]);
      note(tx, streams);
    },
  };
}
