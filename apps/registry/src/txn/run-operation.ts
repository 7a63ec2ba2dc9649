import type { KvEdit, KvEntry } from '../kv/store.ts';
import type { Operation } from './operations.ts';

export interface Done {
  readonly entries?: readonly KvEntry[];
  /** Whether it was asked for values. */
  readonly withValue?: boolean;
  /** Why the transaction fails. */
  readonly problem?: string;
}

/** Runs one operation of a transaction. What it changes is undone by the caller when any of them has a problem. */
export function runOperation(edit: KvEdit, operation: Operation, hasSession: (id: string) => boolean): Done {
  const { verb, key, value, flags, index, session } = operation;
  if (key === '' && !TREES.has(verb)) return { problem: 'Missing key name' };
  const entry = edit.get(key);
  const changed = (after: KvEntry | undefined, problem: string): Done =>
    after === undefined ? { problem } : { entries: [after] };
  switch (verb) {
    case 'set':
      return { entries: [edit.set(key, value, flags)] };
    case 'cas':
      return changed(edit.setIf(key, value, flags, index), `failed to set key "${key}", index is stale`);
    case 'lock':
      if (session === '') return { problem: 'missing session' };
      if (!hasSession(session)) return { problem: `invalid session "${session}"` };
      if (edit.isDelayed(key)) return { problem: `failed to lock key "${key}" due to lock delay` };
      return changed(edit.lock(key, value, flags, session), `failed to lock key "${key}", lock is already held`);
    case 'unlock':
      return changed(
        edit.unlock(key, value, flags, session),
        `failed to unlock key "${key}", lock isn't held, or is held by another session`,
      );
    case 'get':
      return entry === undefined ? { problem: `key "${key}" doesn't exist` } : { entries: [entry], withValue: true };
    case 'get-tree':
      return { entries: edit.list(key), withValue: true };
    case 'check-index':
      return check(
        entry,
        key,
        BigInt(entry?.modifyRev ?? -1) === index,
        () => `failed index check for key "${key}", current modify index ${entry?.modifyRev} != ${index}`,
      );
    case 'check-session':
      return check(
        entry,
        key,
        entry?.session === session,
        () => `failed session check for key "${key}", current session "${entry?.session}" != "${session}"`,
      );
    case 'check-not-exists':
      return entry === undefined ? {} : { problem: `key "${key}" exists` };
    case 'delete':
      edit.remove(key);
      return {};
    case 'delete-tree':
      edit.removeAll(key);
      return {};
    case 'delete-cas':
      return edit.removeIf(key, index) ? {} : { problem: `failed to delete key "${key}", index is stale` };
    default:
      return { problem: `unknown KV verb "${verb}"` };
  }
}

const TREES: ReadonlySet<string> = new Set(['get-tree', 'delete-tree']);

function check(entry: KvEntry | undefined, key: string, holds: boolean, problem: () => string): Done {
  if (entry === undefined) return { problem: `key "${key}" doesn't exist` };
  return holds ? { entries: [entry] } : { problem: problem() };
}
