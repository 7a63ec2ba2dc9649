import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { embeddedErrors } from './errors.ts';
import { identify } from './process.ts';

interface Holder {
  readonly pid: number;
  /** Tells the holder from a later process with its number. */
  readonly startedAt: string;
}

/**
 * Takes a folder for this process. The lock of a process that is gone, or whose number another process has now, is taken over.
 *
 * I1 the lock appears whole, by link(2), which fails when there is one.   I2 a stale lock is moved away by rename(2), and put back
 * when the one that was moved is not the one that was read.
 *
 * @returns Lets go of the folder.
 * @throws EMBEDDED_POSTGRES_IN_USE
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'souk.lock');
  const own = `${file}.${process.pid}`;
  const me = JSON.stringify({ pid: process.pid, startedAt: identify(process.pid)?.startedAt ?? '' } satisfies Holder);
  writeFileSync(own, me);
  try {
    while (!tryLink(own, file)) {
      const text = read(file);
      const holder = parse(text);
      if (holder !== undefined && isAlive(holder)) throw embeddedErrors.IN_USE({ folder, pid: holder.pid });
      if (text !== undefined) moveAway(file, text);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return () => {
    if (read(file) === me) rmSync(file, { force: true });
  };
}

const isAlive = ({ pid, startedAt }: Holder): boolean => identify(pid)?.startedAt === startedAt;

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function moveAway(file: string, stale: string): void {
  const away = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, away);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (read(away) !== stale) tryLink(away, file);
  rmSync(away, { force: true });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string | undefined): Holder | undefined {
  try {
    const { pid, startedAt } = JSON.parse(text ?? '') as Holder;
    return Number.isInteger(pid) ? { pid, startedAt } : undefined;
  } catch {
    return undefined;
  }
}
