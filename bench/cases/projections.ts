import { type BenchServer, runScript, startServer } from '../lib/engines.ts';
import { alone, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';

interface FollowReport {
  readonly applied: number;
  readonly perSecond: number;
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly caughtUpMs: number;
  readonly violations: readonly string[];
}

interface WriteReport {
  readonly written: number;
  readonly perSecond: number;
}

const STREAMS = 2_000;
const RATE = 10_000;

export const projections: Bench = {
  summary:
    'events per second that a projection applies when it is behind, and how far it is behind at 10,000 events per second',
  run: async ({ quick, note }) => {
    const server = await startServer();
    try {
      return [...(await catchUp(server, quick, note)), ...(await underLoad(server, quick, note))];
    } finally {
      await server.stop();
    }
  },
};

const follow = async (url: string, partitions: number, stopAtMs: number): Promise<FollowReport> => {
  const report = await runScript<FollowReport>('projections/follow', { url, partitions, events: 0, stopAtMs });
  for (const problem of report.violations) throw new Error(problem);
  return report;
};

async function catchUp(server: BenchServer, quick: boolean, note: (line: string) => void): Promise<Result[]> {
  const events = quick ? 10_000 : 200_000;
  const results: Result[] = [];
  const figures = new Map<number, number[]>();
  for (let round = 1; round <= (quick ? 1 : 3); round++) {
    const url = await server.urlOf(`catch-up-${round}`);
    await runScript<WriteReport>('projections/write', { url, streams: STREAMS, events, perSecond: 0, stopAtMs: 0 });
    for (const partitions of [1, 4]) {
      const { perSecond } = await follow(url, partitions, 0);
      figures.set(partitions, [...(figures.get(partitions) ?? []), perSecond]);
      note(`round ${round}, ${partitions} partitions: ${perSecond.toFixed(0)} events/s`);
    }
  }
  for (const [partitions, runs] of figures)
    results.push(alone('projections', `catch-up-${partitions}`, 'events_per_second', '1/s', runs));
  return results;
}

async function underLoad(server: BenchServer, quick: boolean, note: (line: string) => void): Promise<Result[]> {
  const seconds = quick ? 3 : 20;
  const rates: number[] = [];
  const p50: number[] = [];
  const p99: number[] = [];
  const late: number[] = [];
  for (let round = 1; round <= (quick ? 1 : 3); round++) {
    const url = await server.urlOf(`load-${round}`);
    // Tables are made by the first; then both begin together.
    await runScript('projections/write', { url, streams: STREAMS, events: 50, perSecond: 0, stopAtMs: 0 });
    const stopAtMs = Date.now() + (seconds + 2) * 1000;
    const [report, { perSecond }] = await Promise.all([
      follow(url, 1, stopAtMs),
      runScript<WriteReport>('projections/write', { url, streams: STREAMS, events: 0, perSecond: RATE, stopAtMs }),
    ]);
    rates.push(perSecond);
    p50.push(report.lagP50Ms);
    p99.push(report.lagP99Ms);
    late.push(report.caughtUpMs);
    note(
      `round ${round}: ${perSecond.toFixed(0)} events/s written, lag p50 ${report.lagP50Ms.toFixed(0)} p99 ${report.lagP99Ms.toFixed(0)} ms, caught up after ${report.caughtUpMs.toFixed(0)} ms`,
    );
  }
  return [
    alone('projections', 'load', 'events_per_second', '1/s', rates),
    alone('projections', 'load', 'lag_p50_ms', 'ms', p50),
    alone('projections', 'load', 'lag_p99_ms', 'ms', p99),
    alone('projections', 'load', 'caught_up_ms', 'ms', late),
  ];
}
