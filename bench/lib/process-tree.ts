import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all that it started use, split into Node.js and everything else, which is PostgreSQL. Linux only. */
export interface TreeUse {
  /** Processor time so far, in milliseconds, without that of processes that have ended. */
  readonly nodeMs: number;
  readonly databaseMs: number;
  /** Resident memory of the Node.js processes. */
  readonly nodeMb: number;
  readonly nodeProcesses: number;
}

const MS_PER_TICK = 10;

export function treeUse(root: number): TreeUse {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(Number(name)));
  const tree: (typeof all)[number][] = [];
  const collect = (pid: number): void => {
    tree.push(...all.filter((one) => one.pid === pid));
    for (const child of all) if (child.parent === pid) collect(child.pid);
  };
  collect(root);
  const node = tree.filter(({ name }) => /^(node|MainThread)/.test(name));
  const others = tree.filter((one) => !node.includes(one));
  const sum = (list: readonly { readonly ms: number }[]) => list.reduce((total, { ms }) => total + ms, 0);
  return {
    nodeMs: sum(node),
    databaseMs: sum(others),
    nodeMb: node.reduce((total, { residentMb }) => total + residentMb, 0),
    nodeProcesses: node.length,
  };
}

interface One {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly ms: number;
  readonly residentMb: number;
}

/** Nothing for a process that has just ended. */
function read(pid: number): One[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    const fields = stat
      .slice(end + 2)
      .split(' ')
      .map(Number);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return [
      {
        pid,
        parent: fields[1] ?? 0,
        name: stat.slice(stat.indexOf('(') + 1, end),
        ms: ((fields[11] ?? 0) + (fields[12] ?? 0)) * MS_PER_TICK,
        residentMb: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024,
      },
    ];
  } catch {
    return [];
  }
}
