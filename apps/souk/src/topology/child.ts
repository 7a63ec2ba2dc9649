import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import process from 'node:process';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a process of the shop says once it serves. */
export interface ReadyFacts {
  /** Where it takes calls of the others, and shows its metrics. */
  readonly url: string;
  readonly version: string;
}

/** One run of a process. */
export interface Child {
  readonly pid: number;
  /** Never rejects: a process that ends before it is ready leaves this open. */
  readonly ready: Promise<ReadyFacts>;
  readonly exit: Promise<Exit>;
  /** Asks it to finish what it has and leave. */
  stop(): void;
  kill(): void;
  /** Hands over a connection. @returns false when the process is gone */
  give(socket: Socket): boolean;
}

export interface ChildInit {
  /** Program file and arguments for Node.js. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets each line it writes. */
  readonly onLine: (line: string) => void;
}

/** What travels between a process of the shop and the one that started it. */
export type Message = { readonly kind: 'ready'; readonly facts: ReadyFacts } | { readonly kind: 'connection' };

/** Starts Node.js with a channel to us: when we are gone it is told, and leaves as well. */
export function startChild({ args, env, onLine }: ChildInit): Child {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], serialization: 'json' });
  const ready = Promise.withResolvers<ReadyFacts>();
  child.on('message', (message: Message) => {
    if (message.kind === 'ready') ready.resolve(message.facts);
  });
  for (const stream of [child.stdout, child.stderr]) eachLine(stream, onLine);
  return {
    pid: child.pid ?? 0,
    ready: ready.promise,
    exit: exitOf(child),
    stop: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
    give: (socket) => {
      if (!child.connected) return false;
      // A process that dies with it on the way loses the connection, as it loses those it has.
      child.send({ kind: 'connection' } satisfies Message, socket, (error) => {
        if (error) socket.destroy();
      });
      return true;
    },
  };
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  // A program that could not be started at all says `error` and no more.
  const failed = once(child, 'error').then(([error]) => [null, (error as NodeJS.ErrnoException).code ?? 'ERROR']);
  const [code, signal] = await Promise.race([once(child, 'close'), failed]);
  return { code, signal };
}

const LONGEST_LINE = 64 * 1024;

function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() as string).slice(-LONGEST_LINE);
    for (const line of lines) onLine(line);
  });
  stream?.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
