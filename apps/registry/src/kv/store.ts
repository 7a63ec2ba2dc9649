import type { Clock } from '@souk/kernel';
import type { Change, Persistent } from '../state/commits.ts';
import type { Revisions } from '../state/revisions.ts';
import { createSortedKeys } from './sorted-keys.ts';

/** A key with its value. Never changed in place. */
export interface KvEntry {
  readonly key: string;
  readonly value: Buffer;
  /** Of the client's own meaning, 64 bits. */
  readonly flags: bigint;
  /** How many sessions have locked it, one after the other. */
  readonly lockIndex: number;
  /** Id of the session that has locked it; empty for none. */
  readonly session: string;
  readonly createRev: number;
  readonly modifyRev: number;
}

/** What may be done within one change. Everything sees what came before it in the same change. */
export interface KvEdit {
  get(key: string): KvEntry | undefined;
  list(prefix: string): KvEntry[];
  /** Locks are for those who ask: this heeds none, and keeps the one there is. */
  set(key: string, value: Buffer, flags: bigint): KvEntry;
  /** @returns nothing, and does nothing, unless the key has this index, 0 meaning that it must not exist */
  setIf(key: string, value: Buffer, flags: bigint, index: bigint): KvEntry | undefined;
  /** @returns nothing, and does nothing, when another session has it. Who has it already only puts the value. */
  lock(key: string, value: Buffer, flags: bigint, session: string): KvEntry | undefined;
  /** @returns nothing, and does nothing, when the session does not have it */
  unlock(key: string, value: Buffer, flags: bigint, session: string): KvEntry | undefined;
  /** True while nobody may lock the key, because its last holder may not know yet that it has lost it. */
  isDelayed(key: string): boolean;
  remove(key: string): void;
  /** @returns false, and does nothing, when the key has another index; true when it does not exist */
  removeIf(key: string, index: bigint): boolean;
  removeAll(prefix: string): void;
  /** Takes away all locks of a session, with their keys when `behavior` is `delete`, and keeps those keys from being locked for a while. */
  endSession(session: string, behavior: 'release' | 'delete', lockDelayMs: number): void;
}

/** Keys and values in memory. What can be watched: `kv:<key>`, and `kv-prefix:<prefix>` for all keys that begin so. */
export interface KvStore {
  get(key: string): KvEntry | undefined;
  /** In the order of keys. */
  list(prefix: string): KvEntry[];
  /**
   * Runs `run` within a change. When it throws, or `keep` says no to what it returns, nothing has happened.
   */
  edit<T>(change: Change, run: (edit: KvEdit) => T, keep?: (result: T) => boolean): T;
  readonly persistent: Persistent;
}

/** A key that is gone, so that its index and that of its prefixes do not go back. */
interface Tombstone {
  readonly removedRev: number;
}
type Cell = KvEntry | Tombstone;

/** So many keys that are gone are remembered one by one; then all unknown keys count as changed when the oldest of them went. */
const TOMBSTONES = 10_000;
const NAME = 'kv';

export function createKvStore(options: { readonly revisions: Revisions; readonly clock: Clock }): KvStore {
  const { revisions, clock } = options;
  const cells = new Map<string, Cell>();
  const order = createSortedKeys();
  /** Keys that are gone, the longest gone first. */
  const tombstones = new Set<string>();
  let forgottenRev = 1;
  const held = new Map<string, Set<string>>();
  /** Until when a key cannot be locked, in monotonic milliseconds. */
  const delays = new Map<string, number>();

  const live = (cell: Cell | undefined): KvEntry | undefined =>
    cell !== undefined && 'key' in cell ? cell : undefined;
  const revOf = (cell: Cell): number => ('key' in cell ? cell.modifyRev : cell.removedRev);
  const get = (key: string): KvEntry | undefined => live(cells.get(key));
  const list = (prefix: string): KvEntry[] => {
    const entries: KvEntry[] = [];
    for (const key of order.startingWith(prefix)) {
      const entry = get(key);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  };

  /** The only place where a cell changes. */
  const put = (key: string, cell: Cell | undefined): void => {
    const before = get(key);
    if (before !== undefined && before.session !== '') held.get(before.session)?.delete(key);
    tombstones.delete(key);
    if (cell === undefined) {
      cells.delete(key);
      order.remove(key);
      return;
    }
    if (!cells.has(key)) order.add(key);
    cells.set(key, cell);
    const after = live(cell);
    if (after === undefined) tombstones.add(key);
    else if (after.session !== '') held.set(after.session, (held.get(after.session) ?? new Set()).add(key));
  };

  const forgetTombstones = (): void => {
    for (const key of tombstones) {
      if (tombstones.size <= TOMBSTONES) return;
      const cell = cells.get(key);
      if (cell !== undefined) forgottenRev = Math.max(forgottenRev, revOf(cell));
      put(key, undefined);
    }
  };

  revisions.compute('kv', (key) => {
    const cell = cells.get(key);
    return cell === undefined ? forgottenRev : revOf(cell);
  });
  revisions.compute('kv-prefix', (prefix) => {
    let newest = forgottenRev;
    for (const key of order.startingWith(prefix)) newest = Math.max(newest, revOf(cells.get(key) as Cell));
    return newest;
  });

  const editOf = (change: Change, write: (key: string, cell: Cell) => void): KvEdit => {
    const store = (key: string, fields: Pick<KvEntry, 'value' | 'flags' | 'lockIndex' | 'session'>): KvEntry => {
      const before = get(key);
      // What changes nothing wakes nobody.
      if (before !== undefined && isSame(before, fields)) return before;
      const entry = { key, ...fields, createRev: before?.createRev ?? change.rev, modifyRev: change.rev };
      write(key, entry);
      return entry;
    };
    const set = (key: string, value: Buffer, flags: bigint): KvEntry => {
      const { lockIndex = 0, session = '' } = get(key) ?? {};
      return store(key, { value, flags, lockIndex, session });
    };
    const remove = (key: string): void => {
      if (get(key) !== undefined) write(key, { removedRev: change.rev });
    };
    return {
      get,
      list,
      set,
      remove,
      setIf: (key, value, flags, index) =>
        BigInt(get(key)?.modifyRev ?? 0) === index ? set(key, value, flags) : undefined,
      lock: (key, value, flags, session) => {
        const { lockIndex = 0, session: holder = '' } = get(key) ?? {};
        if (holder === session) return store(key, { value, flags, lockIndex, session });
        return holder === '' ? store(key, { value, flags, lockIndex: lockIndex + 1, session }) : undefined;
      },
      unlock: (key, value, flags, session) => {
        const before = get(key);
        if (before?.session !== session || session === '') return undefined;
        return store(key, { value, flags, lockIndex: before.lockIndex, session: '' });
      },
      isDelayed: (key) => (delays.get(key) ?? Number.NEGATIVE_INFINITY) > clock.monotonicMs(),
      removeIf: (key, index) => {
        const before = get(key);
        if (before === undefined) return true;
        if (BigInt(before.modifyRev) !== index) return false;
        remove(key);
        return true;
      },
      removeAll: (prefix) => {
        for (const { key } of list(prefix)) remove(key);
      },
      endSession: (session, behavior, lockDelayMs) => {
        const now = clock.monotonicMs();
        for (const [key, untilMs] of delays) if (untilMs <= now) delays.delete(key);
        for (const key of [...(held.get(session) ?? [])].sort()) {
          if (lockDelayMs > 0) delays.set(key, now + lockDelayMs);
          const { value, flags, lockIndex } = get(key) as KvEntry;
          if (behavior === 'delete') remove(key);
          else store(key, { value, flags, lockIndex, session: '' });
        }
        held.delete(session);
      },
    };
  };

  const wake = (keys: ReadonlyMap<string, unknown>, rev: number): void => {
    for (const key of revisions.waiting('kv')) if (keys.has(key)) revisions.touch(`kv:${key}`, rev);
    const changed = [...keys.keys()];
    for (const prefix of revisions.waiting('kv-prefix')) {
      if (changed.some((key) => key.startsWith(prefix))) revisions.touch(`kv-prefix:${prefix}`, rev);
    }
  };

  return {
    get,
    list,
    edit: (change, run, keep = () => true) => {
      /** What the keys that have changed were before. */
      const undo = new Map<string, Cell | undefined>();
      const write = (key: string, cell: Cell): void => {
        if (!undo.has(key)) undo.set(key, cells.get(key));
        put(key, cell);
      };
      let kept = false;
      try {
        const result = run(editOf(change, write));
        kept = keep(result);
        return result;
      } finally {
        if (!kept) for (const [key, cell] of undo) put(key, cell);
        else if (undo.size > 0) {
          for (const key of undo.keys()) change.log(NAME, logged(key, get(key)));
          wake(undo, change.rev);
          forgetTombstones();
        }
      }
    },
    persistent: {
      name: NAME,
      save: () => list('').map((entry) => logged(entry.key, entry)),
      load: (data) => {
        const entries = (data as unknown[]).map(restored);
        for (const [key, entry] of entries) put(key, entry);
      },
      replay: (data) => {
        const [key, entry] = restored(data);
        // No tombstone: after a restart every index is that of the restart.
        put(key, entry);
      },
    },
  };
}

const isSame = (a: KvEntry, b: Pick<KvEntry, 'value' | 'flags' | 'lockIndex' | 'session'>): boolean =>
  a.flags === b.flags && a.lockIndex === b.lockIndex && a.session === b.session && a.value.equals(b.value);

/** A key as it is kept on disk; a key that is gone has nothing behind it. */
type Logged = readonly [
  key: string,
  entry?: readonly [
    value: string,
    flags: string,
    lockIndex: number,
    session: string,
    createRev: number,
    modifyRev: number,
  ],
];

const logged = (key: string, entry: KvEntry | undefined): Logged => {
  if (entry === undefined) return [key];
  const { value, flags, lockIndex, session, createRev, modifyRev } = entry;
  return [key, [value.toString('base64'), String(flags), lockIndex, session, createRev, modifyRev]];
};

function restored(data: unknown): readonly [string, KvEntry | undefined] {
  const [key, entry] = data as Logged;
  if (entry === undefined) return [key, undefined];
  const [value, flags, lockIndex, session, createRev, modifyRev] = entry;
  const bytes = Buffer.from(value, 'base64');
  return [key, { key, value: bytes, flags: BigInt(flags), lockIndex, session, createRev, modifyRev }];
}
