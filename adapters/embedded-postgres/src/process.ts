import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { Runtime } from '@souk/kernel';

/** What tells a process from a later one with the same number. */
export interface ProcessIdentity {
  readonly startedAt: string;
  readonly command: string;
}

/** Undefined when there is no such process. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
  } catch {
    return undefined;
  }
}

function fromProc(pid: number): ProcessIdentity | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything, so count from behind it: state is field 3, the start in clock ticks field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { startedAt: fields[19] ?? '', command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
}

function fromPs(pid: number): ProcessIdentity | undefined {
  const out = execFileSync('ps', ['-ww', '-p', String(pid), '-o', 'lstart=,command='], { encoding: 'utf8' }).trim();
  return out === '' ? undefined : { startedAt: out.slice(0, 24), command: out.slice(24) };
}

/** Waits until `isOver`, looking every few milliseconds. @returns False when the time ran out. */
export async function waitUntil(runtime: Runtime, limitMs: number, isOver: () => boolean): Promise<boolean> {
  const { clock, timers } = runtime;
  const untilMs = clock.monotonicMs() + limitMs;
  while (!isOver()) {
    if (clock.monotonicMs() >= untilMs) return false;
    await timers.sleep(5);
  }
  return true;
}

/** Timers do not keep a process alive, and while the server starts or stops there may be nothing else that does. */
export function keepAlive(): Disposable {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {};
  return { [Symbol.dispose]: () => port2.close() };
}
