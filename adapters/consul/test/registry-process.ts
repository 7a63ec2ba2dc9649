// Our own registry as a process that a test can kill, stop and start again at the same port.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(import.meta.dirname, '../../../apps/registry/src/main.ts');

export interface RegistryProcess {
  readonly port: number;
  /** Resolves when it takes requests. It has no folder, so it knows nothing. */
  start(): Promise<void>;
  /** As `kill -9`. */
  kill(): Promise<void>;
  /** Freezes it, or lets it go on: connections stay. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

export function registryProcess(): RegistryProcess {
  let child: ChildProcess | undefined;
  let port = 0;
  return {
    get port() {
      return port;
    },
    start: async () => {
      const flags = ['-http-port', `${port}`, '-dns-port', '-1', '-bind', '127.0.0.1', '-client', '127.0.0.1'];
      const started = spawn(process.execPath, [MAIN, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
      child = started;
      for await (const line of createInterface({ input: started.stdout })) {
        const [, said] = /^http:\/\/[^ ]*:(\d+)/.exec(line) ?? [];
        if (said === undefined) continue;
        port = Number(said);
        started.stdout.resume();
        return;
      }
      throw new Error('the registry ended before it listened');
    },
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    signal: (signal) => void child?.kill(signal),
  };
}
