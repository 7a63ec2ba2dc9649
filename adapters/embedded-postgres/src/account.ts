import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { embeddedErrors } from './errors.ts';

/** Under whom the server runs. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account for a server started by root, which PostgreSQL refuses to run as; undefined when we are not root. initdb wants the
 * account to be in the password file.
 *
 * @throws EMBEDDED_POSTGRES_NO_ACCOUNT
 */
export function unprivilegedAccount(passwd = '/etc/passwd'): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = new Map(
    readFileSync(passwd, 'utf8')
      .split('\n')
      .map((line) => [line.split(':')[0], line.split(':')]),
  );
  for (const name of ['nobody', 'postgres']) {
    const uid = Number(accounts.get(name)?.[2]);
    const gid = Number(accounts.get(name)?.[3]);
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  throw embeddedErrors.NO_ACCOUNT();
}

/** True when the account can get to `path`: every folder above lets it through. */
export function canReach(account: Account | undefined, path: string): boolean {
  if (account === undefined) return true;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!allows(account, statSync(folder), 1)) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** True when the account can get to `path` and read it. */
export const canRead = (account: Account | undefined, path: string): boolean =>
  account === undefined || (canReach(account, path) && allows(account, statSync(path), 4));

function allows({ uid, gid }: Account, stats: Stats, bit: number): boolean {
  const shift = stats.uid === uid ? 6 : stats.gid === gid ? 3 : 0;
  return ((stats.mode >> shift) & bit) !== 0;
}
