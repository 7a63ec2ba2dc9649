import { fromUnknown, type Logger } from '@souk/kernel';
import type { Persistent } from '../state/commits.ts';
import type { Journal } from '../state/group-commit.ts';
import { type DataFolder, type Snapshot, syncFolder } from './data-folder.ts';
import { createLogFile, type LogFile } from './log-file.ts';
import { encodeRecord } from './records.ts';

/** Keeps changes in a folder, and gives them back at the next start. */
export interface FolderJournal extends Journal {
  /** Writes a last snapshot, so that the next start reads nothing else. */
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly folder: DataFolder;
  readonly log: Logger;
  readonly persistents: readonly Persistent[];
  /** A new snapshot is written when the log has grown by so many bytes. Larger: fewer pauses, longer starts. */
  readonly snapshotBytes: number;
  /** The newest revision, for snapshots. */
  readonly revision: () => number;
}

/**
 * After a crash, revisions that are on no disk may have been told to clients. So many are skipped, so that none is told twice with
 * different meanings.
 */
const SKIPPED_AFTER_CRASH = 10_000;

/** Loads what the folder has into the persistents. @returns the revision to go on from; undefined when the folder was empty */
export async function restore(
  folder: DataFolder,
  persistents: readonly Persistent[],
  log: Logger,
): Promise<number | undefined> {
  const byName = new Map(persistents.map((one) => [one.name, one]));
  const snapshot = await folder.readSnapshot();
  let rev = snapshot?.rev ?? 0;
  for (const [name, data] of Object.entries(snapshot?.data ?? {})) {
    attempt(log, name, () => byName.get(name)?.load(data));
  }
  let clean = snapshot?.clean === true;
  for (const number of await folder.logs()) {
    if (snapshot !== undefined && number < snapshot.log) continue;
    const { records } = await folder.readLog(number);
    for (const record of records) {
      clean = false;
      rev = Math.max(rev, record.rev);
      for (const [name, entry] of record.entries) attempt(log, name, () => byName.get(name)?.replay(entry));
    }
  }
  if (rev === 0) return undefined;
  return clean ? rev + 1 : rev + SKIPPED_AFTER_CRASH;
}

function attempt(log: Logger, name: string, run: () => void): void {
  try {
    run();
  } catch (thrown) {
    log.error('a part of the saved state cannot be used; it is left out', { part: name, err: fromUnknown(thrown) });
  }
}

/** Starts a new log. Everything that `restore` found is in the snapshot that is written first. */
export async function openJournal(options: JournalOptions): Promise<FolderJournal> {
  const { folder, log, persistents, snapshotBytes, revision } = options;
  let number = ((await folder.logs()).at(-1) ?? 0) + 1;
  let file = await createLogFile(folder.logPath(number));
  /** Opened ahead, for when the log is long enough. */
  let following: LogFile | undefined;
  let rotating = false;
  let pending: string[] = [];
  let syncing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let snapshotting: Promise<void> = Promise.resolve();

  const snapshotOf = (clean: boolean): Snapshot => ({
    // Nothing comes after a clean one, and what is in the log that ends is in it.
    ...{ rev: revision(), clean, log: clean ? number + 1 : number },
    data: Object.fromEntries(persistents.map((one) => [one.name, one.save()])),
  });
  const notWritten = (thrown: unknown): void =>
    log.error('no snapshot could be written; the log grows on', { err: fromUnknown(thrown) });

  const write = async (to: LogFile): Promise<void> => {
    const lines = pending;
    pending = [];
    try {
      if (lines.length > 0) await to.append(lines.join(''));
    } catch (thrown) {
      pending = [...lines, ...pending];
      throw thrown;
    }
  };

  /**
   * What waits now is in memory, so in the snapshot, so it belongs into the old log: a change that was in both the snapshot and a log
   * behind it would be made twice.
   */
  const rotate = async (to: LogFile): Promise<void> => {
    const old = file;
    file = to;
    number += 1;
    const snapshot = snapshotOf(false);
    await write(old);
    snapshotting = old
      .close()
      .then(() => folder.writeSnapshot(snapshot))
      .catch(notWritten)
      .finally(() => {
        rotating = false;
      });
  };

  const openFollowing = async (): Promise<void> => {
    try {
      following = await createLogFile(folder.logPath(number + 1));
      await syncFolder(folder.folder);
    } catch (thrown) {
      rotating = false;
      notWritten(thrown);
    }
  };

  const run = async (): Promise<void> => {
    try {
      const to = following;
      following = undefined;
      await (to === undefined ? write(file) : rotate(to));
    } finally {
      syncing = undefined;
    }
    if (file.bytes < snapshotBytes || rotating) return;
    rotating = true;
    snapshotting = openFollowing();
  };

  /** One at a time; whoever comes while one runs shares the next. */
  const sync = (): Promise<void> => {
    if (syncing === undefined) {
      syncing = run();
      return syncing;
    }
    next ??= syncing
      .catch(() => {})
      .then(() => {
        next = undefined;
        return sync();
      });
    return next;
  };

  await syncFolder(folder.folder);
  await folder.writeSnapshot(snapshotOf(false));
  return {
    append: (rev, entries) => void pending.push(encodeRecord({ rev, entries })),
    sync,
    close: async () => {
      await sync();
      await snapshotting;
      await following?.close();
      await file.close();
      await folder.writeSnapshot(snapshotOf(true));
    },
  };
}
