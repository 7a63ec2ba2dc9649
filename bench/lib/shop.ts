import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOUK = fileURLToPath(new URL('../../apps/souk/bin/souk.js', import.meta.url));
const START_LIMIT_MS = 60_000;

/** A shop in a process of its own. */
export interface RunningShop {
  readonly url: string;
  readonly pid: number;
  readonly folder: string;
  readonly adminPassword: string;
  /** Seconds from the start of the process until it said where it listens. */
  readonly openSeconds: number;
  /** Resident memory of the Node.js process, without PostgreSQL. */
  residentMb(): Promise<number>;
  stop(): Promise<void>;
}

const ADMIN_PASSWORD = 'bench admin password';

/** Open to other users: PostgreSQL runs as one of them when this runs as root, and would keep its data elsewhere. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'souk-bench-'));
  await chmod(folder, 0o755);
  return folder;
}

export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

export async function startShop(folder: string, env: Readonly<Record<string, string>> = {}): Promise<RunningShop> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [SOUK, 'up'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PORT: '0',
      SOUK_DATA: join(folder, 'data'),
      SOUK_ADMIN_PASSWORD: ADMIN_PASSWORD,
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'json',
      ...env,
    },
  });
  let output = '';
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const opened = new Promise<string>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`the shop did not open:\n${output}`)), START_LIMIT_MS);
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      const url = /The shop is open\S* at \D*(http:\/\/\S+)/.exec(output)?.[1];
      if (url === undefined) return;
      clearTimeout(limit);
      resolve(url);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`the shop ended with ${code}:\n${output}`)));
  });
  const url = await opened;
  const pid = child.pid as number;
  return {
    url,
    pid,
    folder,
    adminPassword: ADMIN_PASSWORD,
    openSeconds: (performance.now() - startedMs) / 1000,
    residentMb: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
