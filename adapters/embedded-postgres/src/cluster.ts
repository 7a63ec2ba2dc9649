import { execFile } from 'node:child_process';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import { embeddedErrors } from './errors.ts';
import { type Folder, makePrivate } from './folder.ts';

/** PostgreSQL's major version that the bundle brings. */
const MAJOR = 18;

/** Name of the administrator. */
export const ADMIN = 'souk';

/** Sort order by code point with full Unicode case rules; builds without it have the other. */
const LOCALES = ['PG_UNICODE_FAST', 'C.UTF-8'];

const run = promisify(execFile);

/** @throws EMBEDDED_POSTGRES_DATA_NEWER or EMBEDDED_POSTGRES_DATA_OLDER */
export function checkCluster(folder: Folder): void {
  if (!exists(folder)) return;
  const found = Number(readFileSync(join(folder.data, 'PG_VERSION'), 'utf8'));
  const what = { folder: folder.asked, found, known: MAJOR };
  if (found > MAJOR) throw embeddedErrors.DATA_NEWER({ ...what, what: 'PostgreSQL' });
  if (found < MAJOR) throw embeddedErrors.DATA_OLDER(what);
}

const exists = (folder: Folder): boolean => existsSync(join(folder.data, 'PG_VERSION'));

/**
 * Makes the data folder when there is none. It appears whole: an interrupted attempt is begun anew.
 *
 * @returns True when it was made now and its files are not yet synced to disk: see {@link syncCluster}.
 * @throws EMBEDDED_POSTGRES_INIT_FAILED
 */
export async function createCluster(folder: Folder, binaries: string, account: Account | undefined): Promise<boolean> {
  if (exists(folder)) return false;
  let failure: unknown;
  for (const locale of LOCALES) {
    try {
      await initialise(folder, binaries, account, locale);
      return true;
    } catch (error) {
      failure = error;
    }
  }
  const { stderr, message } = failure as Error & { stderr?: string };
  throw embeddedErrors.INIT_FAILED({ why: stderr?.trim().split('\n').at(-1) ?? message }, { cause: failure });
}

async function initialise(
  folder: Folder,
  binaries: string,
  account: Account | undefined,
  locale: string,
): Promise<void> {
  const half = join(folder.home, 'data.new');
  const passwordFile = join(folder.home, 'secret.new');
  rmSync(half, { recursive: true, force: true });
  makePrivate(half, account);
  try {
    writeFileSync(passwordFile, folder.password, { mode: 0o600 });
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    await run(
      join(binaries, 'bin', 'initdb'),
      [
        `--pgdata=${half}`,
        `--username=${ADMIN}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        `--builtin-locale=${locale}`,
        '--no-sync',
        '--no-instructions',
      ],
      { ...account, env: environment },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(half, folder.data);
}

/** Nothing of the parent's: the server must not depend on the shell it was started from. */
export const environment: NodeJS.ProcessEnv = Object.freeze({ LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' });

/** Brings what initdb wrote to the disk. Slow on slow disks, and safe to do while the server runs. */
export async function syncCluster(folder: Folder, binaries: string, account: Account | undefined): Promise<void> {
  await run(join(binaries, 'bin', 'initdb'), ['--sync-only', `--pgdata=${folder.data}`], {
    ...account,
    env: environment,
  });
}
