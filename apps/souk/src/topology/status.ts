import type { Part, Runtime } from '@souk/kernel';
import { type Exposition, readExposition } from '../client/exposition.ts';
import type { ManagedProcess } from './managed-process.ts';
import type { ProcessGroup } from './process-group.ts';

/** One process, as `souk status` shows it. */
export interface ProcessStatus {
  readonly process: string;
  readonly services: readonly string[];
  readonly state: string;
  /** Seconds in this state. */
  readonly forSeconds: number;
  readonly pid: number | undefined;
  readonly url: string | undefined;
  readonly version: string | undefined;
  readonly restarts: number;
  /** It ends again and again. */
  readonly isLooping: boolean;
  /** How it ended last; undefined when it never did. */
  readonly lastExit: string | undefined;
  /** Calls that it took in a second; undefined while it has not been measured. */
  readonly callsPerSecond: number | undefined;
  /** Milliseconds that 99 of 100 calls took at most; undefined where none came. */
  readonly p99Ms: number | undefined;
  readonly residentMb: number | undefined;
}

export interface Status {
  readonly part: Part;
  read(): readonly ProcessStatus[];
}

interface Sample {
  readonly pid: number;
  readonly atMs: number;
  readonly calls: number;
  /** Calls that took at most so many seconds, by the bound as it is written. */
  readonly buckets: Readonly<Record<string, number>>;
  readonly residentMb: number;
}

interface Figures {
  readonly last: Sample;
  readonly callsPerSecond: number | undefined;
  readonly p99Ms: number | undefined;
}

const LOOK_EVERY_MS = 2000;
const LOOK_MS = 1500;
/** What a process of services counts, and what the edge does. */
const COUNTS = { calls: 'rpc_server_requests_total', buckets: 'rpc_server_duration_seconds_bucket' } as const;

/** Looks at the metrics of every process again and again, so that rates can be told at any moment. */
export function createStatus(init: {
  readonly groups: readonly ProcessGroup[];
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
}): Status {
  const { groups, runtime } = init;
  const figures = new Map<string, Figures>();
  const all = () => groups.flatMap((group) => group.processes.map((process) => ({ group, process })));

  const look = async (process: ManagedProcess): Promise<void> => {
    const { facts, child, name } = process;
    if (facts === undefined || child === undefined) return;
    const page = await fetchText(`${facts.url}/metrics`, runtime.timers);
    if (page === undefined) return;
    const last = sampleOf(readExposition(page), child.pid, runtime.clock.monotonicMs());
    const before = figures.get(name)?.last;
    figures.set(name, { last, ...ratesOf(before?.pid === last.pid ? before : undefined, last) });
  };
  const lookAtAll = async (): Promise<void> => {
    await Promise.all(all().map(({ process }) => look(process)));
    const names = new Set(all().map(({ process }) => process.name));
    for (const name of figures.keys()) if (!names.has(name)) figures.delete(name);
  };

  let looking: { cancel(): void } | undefined;
  let busy = false;
  return {
    part: {
      name: 'status',
      start: async () => {
        looking = runtime.timers.every(LOOK_EVERY_MS, () => {
          if (busy) return;
          busy = true;
          void lookAtAll().finally(() => {
            busy = false;
          });
        });
      },
      stop: async () => looking?.cancel(),
    },
    read: () => all().map(({ group, process }) => statusOf(group, process, figures.get(process.name))),
  };
}

function statusOf({ plan }: ProcessGroup, process: ManagedProcess, figures: Figures | undefined): ProcessStatus {
  const { lastExit, facts, child } = process;
  const current = figures !== undefined && figures.last.pid === child?.pid ? figures : undefined;
  return {
    process: process.name,
    services: [...plan.services, ...(plan.operator ? ['operator'] : []), ...(plan.edge ? ['edge'] : [])],
    state: process.state,
    forSeconds: Math.round(process.ageMs / 1000),
    pid: child?.pid,
    url: facts?.url,
    version: facts?.version,
    restarts: process.restarts,
    isLooping: process.isLooping,
    lastExit: lastExit === undefined ? undefined : String(lastExit.signal ?? lastExit.code),
    callsPerSecond: current?.callsPerSecond,
    p99Ms: current?.p99Ms,
    residentMb: current?.last.residentMb,
  };
}

const sampleOf = (page: Exposition, pid: number, atMs: number): Sample => ({
  pid,
  atMs,
  calls: page.sum(COUNTS.calls),
  buckets: page.by(COUNTS.buckets, 'le'),
  residentMb: Math.round(page.sum('process_resident_memory_bytes') / 2 ** 20),
});

function ratesOf(before: Sample | undefined, now: Sample): Pick<Figures, 'callsPerSecond' | 'p99Ms'> {
  if (before === undefined || now.atMs <= before.atMs) return { callsPerSecond: undefined, p99Ms: undefined };
  const callsPerSecond = ((now.calls - before.calls) * 1000) / (now.atMs - before.atMs);
  return { callsPerSecond, p99Ms: quantileMs(before.buckets, now.buckets, 0.99) };
}

/** The bound of the bucket in which the share lies, in milliseconds: as exact as the buckets are. */
export function quantileMs(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
  share: number,
): number | undefined {
  const counts = Object.keys(now)
    .map((le) => ({
      bound: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
      count: (now[le] ?? 0) - (before[le] ?? 0),
    }))
    .sort((one, other) => one.bound - other.bound);
  const total = counts.at(-1)?.count ?? 0;
  if (total <= 0) return undefined;
  const found = counts.find(({ count }) => count >= total * share);
  return found === undefined ? undefined : found.bound * 1000;
}

async function fetchText(url: string, timers: Runtime['timers']): Promise<string | undefined> {
  const over = new AbortController();
  const timer = timers.after(LOOK_MS, () => over.abort());
  try {
    const response = await fetch(url, { signal: over.signal });
    return response.ok ? await response.text() : undefined;
  } catch {
    // It may be leaving, or too busy to answer: its state says so.
    return undefined;
  } finally {
    timer.cancel();
  }
}
