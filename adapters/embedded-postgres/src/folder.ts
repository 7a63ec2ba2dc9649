import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Runtime } from '@souk/kernel';
import { type Account, canReach } from './account.ts';
import { embeddedErrors } from './errors.ts';

/** How the folder is laid out. A newer number is refused. */
const LAYOUT = 1;

/** Where data goes that its account could not reach in the folder that was asked for. */
const OUTSIDE = '/var/lib/souk';

/** Longest path of a Unix socket that works on Linux (107 bytes) and macOS (103). */
const LONGEST_SOCKET = 103;

export interface Folder {
  /** The folder that was asked for. */
  readonly asked: string;
  /** Where everything else is: the same folder, or one outside when its account could not reach that. */
  readonly home: string;
  /** PostgreSQL's data folder. */
  readonly data: string;
  /** A copy of the binaries, when one is needed. */
  readonly stage: string;
  readonly log: string;
  /** Folder of the Unix socket; undefined when its path would be too long. */
  readonly socket: string | undefined;
  /** The administrator's. */
  readonly password: string;
  /** Settings of the user, included last. */
  readonly overrides: string;
}

interface Layout {
  readonly layout: number;
  readonly id: string;
}

/** Makes the folder, or checks that it is ours to use. The caller holds its lock. */
export function openFolder(asked: string, runtime: Runtime, account: Account | undefined, stageName: string): Folder {
  const { id } = readLayout(asked, runtime);
  // Data in a folder that only root can enter, such as a clone below /root.
  const home = canReach(account, asked) ? asked : join(OUTSIDE, `postgres-${id}`);
  mkdirSync(home, { recursive: true, mode: 0o755 });
  // The account must get through; what is in there has modes of its own.
  if (account !== undefined) chmodSync(home, statSync(home).mode | 0o011);
  const run = join(home, 'run');
  makePrivate(run, account);
  return {
    asked,
    home,
    data: join(home, 'data'),
    stage: join(home, stageName),
    log: join(home, 'postgres.log'),
    socket: Buffer.byteLength(join(run, '.s.PGSQL.5432')) <= LONGEST_SOCKET ? run : undefined,
    password: readPassword(join(home, 'secret'), runtime),
    overrides: join(home, 'postgresql.conf'),
  };
}

/** Makes a folder that only the server's account can enter. */
export function makePrivate(folder: string, account: Account | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
}

/** @throws EMBEDDED_POSTGRES_DATA_NEWER */
function readLayout(asked: string, runtime: Runtime): Layout {
  const file = join(asked, 'layout.json');
  if (!existsSync(file)) {
    const made: Layout = { layout: LAYOUT, id: Buffer.from(runtime.random.bytes(8)).toString('hex') };
    writeFileSync(file, JSON.stringify(made));
    return made;
  }
  const found = JSON.parse(readFileSync(file, 'utf8')) as Layout;
  if (found.layout > LAYOUT) {
    throw embeddedErrors.DATA_NEWER({ folder: asked, what: 'layout', found: found.layout, known: LAYOUT });
  }
  return found;
}

function readPassword(file: string, runtime: Runtime): string {
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const password = Buffer.from(runtime.random.bytes(24)).toString('base64url');
  writeFileSync(file, password, { mode: 0o600 });
  return password;
}
