import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Runtime } from '@souk/kernel';
import type { Account } from './account.ts';
import { environment } from './cluster.ts';
import { embeddedErrors } from './errors.ts';
import type { Folder } from './folder.ts';
import { identify, waitUntil } from './process.ts';

/** Recovery after a crash replays at most `max_wal_size`, in milliseconds. */
const START_MS = 120_000;

/** Fast shutdown writes a checkpoint; then an immediate one, which needs recovery; then the end. In milliseconds. */
const STOP_STEPS: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 5000],
  ['SIGKILL', 5000],
];

/** A log that is larger at a start is set aside, in bytes. */
const LOG_LIMIT = 8 * 1024 * 1024;

/** Longest wait for sessions whose server is gone, in milliseconds. */
const ORPHANS_MS = 10_000;

export interface PostmasterInit {
  readonly folder: Folder;
  readonly binaries: string;
  readonly account: Account | undefined;
  readonly runtime: Runtime;
}

/**
 * Starts the server and waits until it takes connections. It leads a process group of its own, so that Ctrl-C in a terminal reaches
 * us and not it, and it lives on when we are killed.
 *
 * @throws EMBEDDED_POSTGRES_START_FAILED
 */
export async function startPostmaster(init: PostmasterInit): Promise<ChildProcess> {
  const { clock, timers } = init.runtime;
  const untilMs = clock.monotonicMs() + ORPHANS_MS;
  for (;;) {
    try {
      return await startOnce(init);
    } catch (error) {
      // Sessions of a server that was killed need a moment to notice.
      if (!/pre-existing shared memory block/.test(String(error)) || clock.monotonicMs() > untilMs) throw error;
      await timers.sleep(100);
    }
  }
}

async function startOnce(init: PostmasterInit): Promise<ChildProcess> {
  const { folder, binaries, account, runtime } = init;
  setAsideLargeLog(folder.log);
  const log = openSync(folder.log, 'a', 0o644);
  const from = statSync(folder.log).size;
  const child = spawn(join(binaries, 'bin', 'postgres'), ['-D', folder.data], {
    ...account,
    detached: true,
    cwd: folder.data,
    env: environment,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: Error | undefined;
  child.on('error', (error) => {
    failure = error;
  });
  const isOver = (): boolean =>
    failure !== undefined || child.exitCode !== null || child.signalCode !== null || isReady(folder, child.pid);
  const inTime = await waitUntil(runtime, START_MS, isOver);
  if (inTime && child.exitCode === null && child.signalCode === null && failure === undefined) {
    child.unref();
    return child;
  }
  child.kill('SIGKILL');
  const why = failure?.message ?? (inTime ? lastWords(folder.log, from) : `it was not ready after ${START_MS} ms`);
  throw embeddedErrors.START_FAILED({ why, log: folder.log }, { cause: failure });
}

/** Stops the server that we started: sessions end, what was committed stays. */
export async function stopPostmaster(child: ChildProcess, runtime: Runtime): Promise<void> {
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (isOver()) return;
  child.ref();
  const exited = once(child, 'exit');
  for (const [signal, waitMs] of STOP_STEPS) {
    child.kill(signal);
    const limit = runtime.timers.sleep(waitMs);
    await Promise.race([exited, limit]);
    if (isOver()) return;
  }
}

/**
 * Stops a server that was left behind on this folder by a souk that was killed. The caller holds the folder's lock, so nobody
 * uses it rightly. A pid file without its server is removed: its number may be another process's by now.
 *
 * @returns Its process id, or undefined when there was none.
 * @throws EMBEDDED_POSTGRES_LEFT_BEHIND
 */
export async function stopLeftBehind(folder: Folder, runtime: Runtime): Promise<number | undefined> {
  const pid = readPid(folder);
  if (pid === undefined) {
    removePidFiles(folder);
    return undefined;
  }
  const isOurs = (): boolean => {
    const command = identify(pid)?.command;
    return command?.includes('postgres') === true && command.includes(folder.data);
  };
  if (!isOurs()) {
    removePidFiles(folder);
    return undefined;
  }
  for (const [signal, waitMs] of STOP_STEPS) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ESRCH') throw embeddedErrors.LEFT_BEHIND({ folder: folder.asked, pid }, { cause: error });
    }
    if (await waitUntil(runtime, waitMs, () => !isOurs())) return pid;
  }
  throw embeddedErrors.LEFT_BEHIND({ folder: folder.asked, pid });
}

/** A number in a pid file may by now be that of another process, which would keep the server from starting. */
function removePidFiles(folder: Folder): void {
  rmSync(pidFile(folder), { force: true });
  if (folder.socket === undefined) return;
  for (const name of readdirSync(folder.socket)) rmSync(join(folder.socket, name), { force: true });
}

const pidFile = (folder: Folder): string => join(folder.data, 'postmaster.pid');

/** Lines of postmaster.pid: 1 the process id, 8 the status. */
function readPidLines(folder: Folder): readonly string[] {
  try {
    return readFileSync(pidFile(folder), 'utf8').split('\n');
  } catch {
    // Not there yet, or not there any more.
    return [];
  }
}

function readPid(folder: Folder): number | undefined {
  const pid = Number(readPidLines(folder)[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

function isReady(folder: Folder, pid: number | undefined): boolean {
  const lines = readPidLines(folder);
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

function setAsideLargeLog(log: string): void {
  try {
    if (statSync(log).size > LOG_LIMIT) renameSync(log, `${log}.old`);
  } catch {
    // The first start.
  }
}

function lastWords(log: string, from: number): string {
  const lines = readFileSync(log).subarray(from).toString('utf8').trim().split('\n');
  const fatal = lines.filter((line) => /FATAL|PANIC|error/.test(line)).at(-1) ?? lines.at(-1) ?? '';
  return fatal.replace(/^.*?(FATAL|PANIC):\s+/, '').trim() || 'it ended without a word';
}
