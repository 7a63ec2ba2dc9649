import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Place } from './storage.ts';

/** Tells where this process runs, and whether another on the same host is gone. */
export interface Processes {
  self(): Place;
  /** True only when it is certain. */
  isGone(place: Place): boolean;
}

/**
 * By `/proc` of Linux. The host is named by the boot and the pid namespace, so that pids of two containers, or from before a
 * reboot, are never compared; the start time of the process tells a reused pid apart. Where there is no `/proc` nothing is certain,
 * and a worker that was killed is waited for until its lease ends.
 */
export function linuxProcesses(): Processes {
  return {
    self: () => ({ host: hostOf(), pid: process.pid, startedAt: statOf(process.pid)?.startedAt ?? '' }),
    isGone: (place) => {
      if (place.host === undefined || place.host !== hostOf() || place.startedAt === '') return false;
      if (!exists(place.pid)) return true;
      const stat = statOf(place.pid);
      return stat !== undefined && (stat.dead || stat.startedAt !== place.startedAt);
    },
  };
}

function hostOf(): string | undefined {
  const boot = attemptTo(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = attemptTo(() => readlinkSync('/proc/self/ns/pid'));
  return boot === undefined || namespace === undefined ? undefined : `${hostname()}/${boot}/${namespace}`;
}

/** Fields 3 and 22 of proc(5) stat. The name before them is in brackets and may hold anything. */
function statOf(pid: number): { readonly dead: boolean; readonly startedAt: string } | undefined {
  const text = attemptTo(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startedAt] = [fields?.[0], fields?.[19]];
  if (state === undefined || startedAt === undefined) return undefined;
  // A zombie waits for its parent to look at it; it runs nothing more.
  return { dead: state === 'Z' || state === 'X', startedAt };
}

/** Signal 0 is not sent; EPERM means that the process is there and is another user's. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** What cannot be read is not known; nobody is declared dead for it. */
function attemptTo<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
