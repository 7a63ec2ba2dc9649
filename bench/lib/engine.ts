// The inside of an engine's process: a closed loop, its figures, and one line about it.

import { performance } from 'node:perf_hooks';
import type { Order, Report } from './engines.ts';
import { percentile } from './result.ts';

export const readOrder = (): Order => JSON.parse(process.argv[2] as string) as Order;

/**
 * Keeps `concurrency` units of work under way. `unit` gets a number that no other unit has, and resolves at the completion point.
 *
 * @returns figures of the measured time, and how many units were done in all
 */
export async function closedLoop(
  { concurrency, seconds, warmUpSeconds, units }: Order,
  unit: (n: number) => Promise<void>,
): Promise<Omit<Report, 'violations'>> {
  const latencies: number[] = [];
  let begun = 0;
  let done = 0;
  const startMs = performance.now();
  const fromMs = startMs + warmUpSeconds * 1000;
  const untilMs = fromMs + seconds * 1000;
  const more = (): boolean => (seconds === 0 ? begun < units : performance.now() < untilMs);
  const worker = async (): Promise<void> => {
    while (more()) {
      const beginMs = performance.now();
      await unit(begun++);
      const endMs = performance.now();
      done++;
      if (endMs >= fromMs && endMs < untilMs) latencies.push(endMs - beginMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return {
    done,
    perSecond: seconds === 0 ? 0 : latencies.length / seconds,
    latenciesMs: {
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      p999: percentile(latencies, 0.999),
    },
  };
}

/** Ends the process: engines keep connections and timers. */
export function report(figures: Omit<Report, 'violations'>, violations: readonly (string | false)[]): void {
  const line = JSON.stringify({ ...figures, violations: violations.filter((one) => one !== false) });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}
