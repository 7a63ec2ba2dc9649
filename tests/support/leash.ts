// Sees to it that processes and folders of a test go when the test's process goes, however that ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface Leash {
  /** These and no others are ended, from now on. */
  hold(pids: readonly number[]): void;
  /** Ends what is held and removes the folder. */
  release(): Promise<void>;
}

/** The watcher is a shell that reads from us: when we are gone, it reads the end. Each line it reads replaces what it holds. */
const WATCH = `while read -r line; do pids="$line"; done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for again in 1 2 3; do rm -rf "$0" && break; sleep 0.2; done`;

export function leash(folder: string): Leash {
  const watcher = spawn('/bin/sh', ['-c', WATCH, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const gone = once(watcher, 'exit');
  watcher.unref();
  return {
    hold: (pids) => void watcher.stdin.write(`${pids.join(' ')}\n`),
    release: async () => {
      watcher.ref();
      watcher.stdin.end();
      await gone;
    },
  };
}

/** Below what systems give to outgoing connections: nobody takes a server's port while it is away. */
const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 32_000;

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
