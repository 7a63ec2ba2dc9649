import type { ProcessStatus } from '../topology/status.ts';
import { type Cell, columns } from './columns.ts';
import type { Palette } from './palette.ts';

const HEADINGS = ['PROCESS', 'SERVES', 'STATE', 'FOR', 'CALLS/S', 'P99', 'RSS', 'RESTARTS', 'VERSION', 'PID'];

/** The processes of a split shop, one in a line. */
export function processTable(
  processes: readonly ProcessStatus[],
  sheet: { readonly width: number; readonly palette: Palette },
): string[] {
  return columns(
    HEADINGS,
    processes.map((one) => rowOf(one, sheet.palette)),
    sheet,
  );
}

function rowOf(one: ProcessStatus, palette: Palette): readonly Cell[] {
  const restarts = one.restarts === 0 ? '' : `${one.restarts}${one.lastExit === undefined ? '' : ` (${one.lastExit})`}`;
  return [
    [one.process, palette.bold],
    one.services.join(' '),
    stateCell(one, palette),
    ageOf(one.forSeconds),
    one.callsPerSecond === undefined ? '' : one.callsPerSecond.toFixed(1),
    one.p99Ms === undefined ? '' : latencyOf(one.p99Ms),
    one.residentMb === undefined ? '' : `${one.residentMb} MB`,
    one.isLooping ? [restarts, palette.red] : restarts,
    one.version ?? '',
    [one.pid === undefined ? '' : String(one.pid), palette.dim],
  ];
}

function stateCell({ state, isLooping }: ProcessStatus, { green, red, yellow }: Palette): Cell {
  if (isLooping && state !== 'ready') return ['ends again and again', red];
  return [state, state === 'ready' ? green : state === 'waiting' ? red : yellow];
}

/** Buckets have bounds: what is beyond the last is only known to be more. */
const latencyOf = (ms: number): string => (Number.isFinite(ms) ? `≤ ${ms} ms` : '> 10 s');

function ageOf(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
