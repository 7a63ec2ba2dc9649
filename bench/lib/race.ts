// Engines run one after the other, round after round, so that what the machine does to one it does to all.

import { type BenchServer, type Report, runEngine } from './engines.ts';
import { alone, beside, type Result } from './result.ts';

export interface Race {
  readonly bench: string;
  /** What one unit of work is called in figures: `sagas`. */
  readonly unit: string;
  /** Scripts under `peers/`, ours first. */
  readonly engines: readonly string[];
  readonly concurrencies: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Units that are run once per engine to count statements and commits; 0: nothing is counted. */
  readonly counted: number;
  readonly note: (line: string) => void;
}

const nameOf = (script: string): string => script.slice(script.lastIndexOf('/') + 1);

/** @throws when an engine's work is not all there, once */
export async function race(server: BenchServer, race: Race): Promise<Result[]> {
  const results: Result[] = [];
  for (const concurrency of race.concurrencies) {
    const reports = new Map<string, Report[]>(race.engines.map((engine) => [engine, []]));
    for (let round = 1; round <= race.rounds; round++) {
      for (const engine of race.engines) {
        const report = await run(server, race, engine, { concurrency, seconds: race.seconds });
        reports.get(engine)?.push(report);
        const { p50, p99, p999 } = report.latenciesMs;
        race.note(
          `c${concurrency} round ${round} ${nameOf(engine).padEnd(10)} ${report.perSecond.toFixed(0).padStart(7)}/s  p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} p99.9 ${p999.toFixed(2)} ms`,
        );
      }
    }
    results.push(...compare(race, `c${concurrency}`, reports));
  }
  if (race.counted > 0) results.push(...(await count(server, race)));
  return results;
}

async function run(
  server: BenchServer,
  { engines, warmUpSeconds, counted }: Race,
  engine: string,
  wanted: { readonly concurrency: number; readonly seconds: number },
): Promise<Report> {
  const report = await runEngine(engine, {
    url: await server.urlOf(databaseName(engine)),
    warmUpSeconds,
    units: counted,
    ...wanted,
  });
  if (report.violations.length > 0)
    throw new Error(`${engine} of ${engines.length} engines lost or doubled work: ${report.violations.join('; ')}`);
  return report;
}

const databaseName = (engine: string): string => engine.replaceAll('/', '-');

function compare(race: Race, name: string, reports: ReadonlyMap<string, readonly Report[]>): Result[] {
  const [own = '', ...peers] = race.engines;
  const figures = (engine: string, of: (report: Report) => number): number[] => (reports.get(engine) ?? []).map(of);
  const metrics = [
    { metric: `${race.unit}_per_second`, unit: '1/s', better: 'higher', of: (report: Report) => report.perSecond },
    { metric: 'p50_ms', unit: 'ms', better: 'lower', of: (report: Report) => report.latenciesMs.p50 },
    { metric: 'p99_ms', unit: 'ms', better: 'lower', of: (report: Report) => report.latenciesMs.p99 },
  ] as const;
  return metrics.flatMap(({ metric, unit, better, of }) => {
    const ours = alone(race.bench, name, metric, unit, figures(own, of));
    return peers.length === 0 ? [ours] : peers.map((peer) => beside(ours, nameOf(peer), figures(peer, of), better));
  });
}

/** What one unit costs the server, alone and with no other at work. */
async function count(server: BenchServer, race: Race): Promise<Result[]> {
  const costs = new Map<string, { statements: number; commits: number }>();
  for (const engine of race.engines) {
    const idle = { ...race, counted: 1 };
    const { statements, commits } = await counted(server, race, engine, idle);
    costs.set(engine, { statements, commits });
    race.note(`${nameOf(engine)}: ${statements.toFixed(1)} statements, ${commits.toFixed(1)} commits each`);
  }
  const [own = '', ...peers] = race.engines;
  return (['round_trips', 'commits'] as const).flatMap((metric) => {
    const key = metric === 'commits' ? 'commits' : 'statements';
    const ours = alone(race.bench, 'c1', metric, '1', [costs.get(own)?.[key] ?? Number.NaN]);
    return peers.map((peer) => beside(ours, nameOf(peer), [costs.get(peer)?.[key] ?? Number.NaN], 'lower'));
  });
}

/** The start of the engine itself is counted with one unit, and taken off. */
async function counted(server: BenchServer, race: Race, engine: string, idle: Race) {
  const name = databaseName(engine);
  const wanted = { concurrency: 1, seconds: 0 };
  const one = await server.counting(name, () => run(server, idle, engine, wanted));
  const many = await server.counting(name, () => run(server, race, engine, wanted));
  const units = many.result.done - one.result.done;
  return { statements: (many.statements - one.statements) / units, commits: (many.commits - one.commits) / units };
}
