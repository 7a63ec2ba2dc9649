// Processes that tests start, and that must not outlive the tests, however those end.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Running {
  readonly pid: number;
  /** Everything it has written to standard output and standard error so far. */
  output(): string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exit: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Waits for something in its output. @throws when it ends or the time is over without it */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

export const repository = join(import.meta.dirname, '..', '..');

const PASSED_ON = ['PATH', 'HOME', 'TMPDIR'];
/** Where the test runner keeps compiled modules too; a process must not leave them in a folder that a test looks into. */
const COMPILED = join(repository, 'node_modules', '.cache', 'souk-test', 'compiled');

let base: string | undefined;
let folders = 0;

/** An empty folder that is gone after the tests, along with any PostgreSQL that runs in it. */
export function scratchFolder(): string {
  base ??= makeBase();
  const folder = join(base, String(++folders));
  mkdirSync(folder, { mode: 0o755 });
  return folder;
}

/** Starts a TypeScript or JavaScript file with nothing of our own environment but what finds programs and compiled modules. */
export function startNode(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd: string },
): Running {
  base ??= makeBase();
  const child = spawn(process.execPath, args, {
    cwd: options.cwd,
    env: {
      ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? COMPILED,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return follow(child, base);
}

function follow(child: ChildProcess, home: string): Running {
  const pid = child.pid as number;
  const pidFile = join(home, `${pid}.pid`);
  writeFileSync(pidFile, String(pid));
  const written = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      for (const listener of listeners) listener();
    });
  }
  const exit = once(child, 'close').then(([code, signal]): Exit => {
    rmSync(pidFile, { force: true });
    return { code, signal };
  });
  const output = () => written.stdout + written.stderr;
  return {
    pid,
    output,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    exit,
    signal: (name) => void child.kill(name),
    says: (pattern, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(output());
          if (found) settle(() => resolve(found));
        };
        const settle = (how: () => void) => {
          listeners.delete(look);
          clearTimeout(timer);
          how();
        };
        const fail = (why: string) => settle(() => reject(new Error(`no ${pattern}: ${why}\n${output()}`)));
        const timer = setTimeout(() => fail(`not within ${timeoutMs} ms`), timeoutMs);
        listeners.add(look);
        look();
        exit.then(({ code, signal }) => fail(`it ended with ${code ?? signal}`));
      }),
  };
}

/** Ends a PostgreSQL whose shop was killed. */
export async function endLeftBehind(folder: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const pid = postmasterOf(folder);
    if (pid === undefined) return;
    try {
      process.kill(pid, i < 50 ? 'SIGQUIT' : 'SIGKILL');
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Process id of the PostgreSQL of a data folder, while it runs. */
export function postmasterOf(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

/** Processes of a split shop that one process has started. @param role Only those that begin with it: `orders` */
export function serversOf(pid: number, role = ''): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        const serves = `\0serve\0${role === '' ? '' : `${role}\0`}`;
        return parent === pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(serves);
      } catch {
        // It has gone meanwhile.
        return false;
      }
    })
    .map(Number);
}

function makeBase(): string {
  const made = mkdtempSync(join(tmpdir(), 'souk-e2e-'));
  // The account that PostgreSQL runs under must get through.
  chmodSync(made, 0o755);
  watch(made);
  return made;
}

/** A shell that waits for the end of this process, which closes its input, and then clears up: also after `kill -9`. */
function watch(home: string): void {
  const script = `read _
    for f in '${home}'/*.pid; do [ -e "$f" ] && kill -KILL "$(cat "$f")"; done
    pids=''
    for f in '${home}'/*/data/postmaster.pid; do [ -e "$f" ] || continue
      pid=$(head -n 1 "$f"); ps -p "$pid" -o command= | grep -q postgres && pids="$pids $pid"; done
    [ -n "$pids" ] && { kill -QUIT $pids; sleep 0.5; kill -KILL $pids; }
    rm -rf '${home}'`;
  const watchdog = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
}
