import { readdirSync, readFileSync } from 'node:fs';

const MS_PER_TICK = 10;

/** Processor time in milliseconds that a shop has used so far. */
export interface CpuTime {
  readonly shopMs: number;
  /** All processes of its PostgreSQL, those that ended included. */
  readonly databaseMs: number;
}

/** Linux only. @param pid Of the shop; PostgreSQL is what it started. */
export function cpuTimeOf(pid: number): CpuTime {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)));
  const below = (parent: number): number =>
    stats
      .filter((one) => one.parent === parent)
      .reduce((sum, one) => sum + one.ownMs + one.endedChildrenMs + below(one.pid), 0);
  return { shopMs: stats.find((one) => one.pid === pid)?.ownMs ?? 0, databaseMs: below(pid) };
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ownMs: number;
  readonly endedChildrenMs: number;
}

/** Nothing for a process that has just ended. */
function readStat(pid: number): Stat[] {
  try {
    // The name, in brackets, may hold blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').map(Number) ?? [];
    const ms = (first: number): number => ((fields[first] ?? 0) + (fields[first + 1] ?? 0)) * MS_PER_TICK;
    return [{ pid, parent: fields[1] ?? 0, ownMs: ms(11), endedChildrenMs: ms(13) }];
  } catch {
    return [];
  }
}
