import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { fromUnknown, type Logger, type Runtime, type Timer } from '@souk/kernel';
import { unprivilegedAccount } from './account.ts';
import { bundledBinaries, prepareBinaries } from './binaries.ts';
import { ADMIN, checkCluster, createCluster, syncCluster } from './cluster.ts';
import { type ServerSettings, writeConfiguration } from './configuration.ts';
import { embeddedErrors } from './errors.ts';
import { type Folder, openFolder } from './folder.ts';
import { lockFolder } from './lock.ts';
import { startPostmaster, stopLeftBehind, stopPostmaster } from './postmaster.ts';
import { keepAlive } from './process.ts';

export interface EmbeddedPostgresInit {
  /** Where everything is kept: data, socket, log, password. Made when it is missing. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Settings of the server that differ from ours, by their PostgreSQL names. */
  readonly settings?: ServerSettings | undefined;
  /** The folder with `bin`, `lib` and `share`. @default the one that was installed for this platform */
  readonly binaries?: string | undefined;
}

/** How the administrator signs in. */
export interface EmbeddedAddress {
  /** Folder of the Unix socket, or 127.0.0.1. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  /**
   * Starts the server: about 60 ms, and half a second more the first time.
   * @throws EMBEDDED_POSTGRES_*, with the folder as it was
   */
  start(): Promise<EmbeddedAddress>;
  /** Stops the server and lets go of the folder. */
  stop(): Promise<void>;
  /** For people: never a password. */
  describe(): string;
  /** Process id of the server while it runs. */
  readonly pid: number | undefined;
}

/** Name of a file, not a number, in a socket's folder. */
const SOCKET_PORT = 5432;

/** Waits before a server that ended by itself is started again: doubled from the first to the longest, in milliseconds. */
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 30_000;

/** Where copies of binaries are kept; another version gets another copy. */
const STAGE = 'postgresql-18.4';

/** A real PostgreSQL that needs no installation. One per folder. */
export function createEmbeddedPostgres(init: EmbeddedPostgresInit): EmbeddedPostgres {
  const { runtime, log } = init;
  const asked = resolve(init.folder);
  let unlock: (() => void) | undefined;
  let child: ChildProcess | undefined;
  let again: Timer | undefined;
  let stopping = false;
  let where = asked;

  const begin = async (): Promise<EmbeddedAddress> => {
    const account = unprivilegedAccount();
    const folder = openFolder(asked, runtime, account, STAGE);
    checkCluster(folder);
    const binaries = prepareBinaries(init.binaries ?? bundledBinaries(), folder.stage, account);
    const left = await stopLeftBehind(folder, runtime);
    if (left !== undefined) log.warn('stopped a PostgreSQL that was left behind', { pid: left });
    const isNew = await createCluster(folder, binaries, account);
    const port = folder.socket === undefined ? await freePort() : undefined;
    writeConfiguration(folder, account, port, init.settings ?? {});
    const run = async (): Promise<void> => {
      child = await startPostmaster({ folder, binaries, account, runtime });
      child.once('exit', (code, signal) => onExit(run, { code, signal }));
    };
    await run();
    if (isNew && init.settings?.fsync !== false) {
      syncCluster(folder, binaries, account).catch((error: unknown) =>
        log.warn('the new data folder could not be synced to disk', { err: fromUnknown(error) }),
      );
    }
    where = folder.home;
    return addressOf(folder, port);
  };

  let waitMs = FIRST_WAIT_MS;
  const onExit = (run: () => Promise<void>, how: { code: number | null; signal: string | null }): void => {
    child = undefined;
    if (stopping) return;
    log.error('PostgreSQL ended by itself, starting it again', how);
    again = runtime.timers.after(waitMs, () => {
      run().then(
        () => {
          waitMs = FIRST_WAIT_MS;
        },
        (error: unknown) => {
          log.error('PostgreSQL does not start', { err: fromUnknown(error) });
          waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
          onExit(run, { code: null, signal: null });
        },
      );
    });
  };

  const stop = async (): Promise<void> => {
    using _ = keepAlive();
    stopping = true;
    again?.cancel();
    if (child !== undefined) await stopPostmaster(child, runtime);
    child = undefined;
    unlock?.();
    unlock = undefined;
  };

  return {
    get pid() {
      return child?.pid;
    },
    start: async () => {
      using _ = keepAlive();
      makeFolder(asked);
      unlock = lockFolder(asked);
      stopping = false;
      try {
        return await begin();
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    describe: () => `PostgreSQL 18 in ${where}`,
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw embeddedErrors.FOLDER_UNUSABLE(
      { folder, why: (error as NodeJS.ErrnoException).code ?? 'unknown' },
      { cause: error },
    );
  }
}

const addressOf = (folder: Folder, port: number | undefined): EmbeddedAddress => ({
  host: port === undefined ? (folder.socket ?? '') : '127.0.0.1',
  port: port ?? SOCKET_PORT,
  user: ADMIN,
  password: folder.password,
  database: 'postgres',
});

function freePort(): Promise<number> {
  const { promise, resolve: found, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const address = probe.address();
    probe.close(() => found(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}
