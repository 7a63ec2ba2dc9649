/** One figure. `ours` and `theirs` are medians over `runs`; `ratio` says how many times better ours is. */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly ours: number;
  /** Smallest and largest of the runs. */
  readonly spread: readonly [number, number];
  readonly peer: string | null;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly runs: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The smallest value that `share` of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const round = (value: number): number => Number(value.toPrecision(4));

/** A figure that has no peer. */
export const alone = (bench: string, name: string, metric: string, unit: string, runs: readonly number[]): Result => ({
  bench,
  case: name,
  metric,
  unit,
  ours: round(median(runs)),
  spread: [round(Math.min(...runs)), round(Math.max(...runs))],
  peer: null,
  theirs: null,
  ratio: null,
  runs: runs.length,
});

/**
 * A figure beside a peer's.
 *
 * @param better Which of two figures is the better one.
 */
export function beside(alone: Result, peer: string, theirs: readonly number[], better: 'higher' | 'lower'): Result {
  const other = median(theirs);
  const ratio = better === 'higher' ? alone.ours / other : other / alone.ours;
  return { ...alone, peer, theirs: round(other), ratio: Number(ratio.toFixed(2)) };
}

export function printTable(results: readonly Result[]): void {
  const header = ['case', 'metric', 'ours', 'spread', 'peer', 'theirs', 'ratio', 'runs'];
  const rows = results.map((one) => [
    one.case,
    `${one.metric} (${one.unit})`,
    String(one.ours),
    one.spread.join(' … '),
    one.peer ?? '-',
    one.theirs === null ? '-' : String(one.theirs),
    one.ratio === null ? '-' : `${one.ratio}x`,
    String(one.runs),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  for (const row of [header, ...rows])
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    );
}
