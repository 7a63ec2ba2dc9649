import { seededRandom } from '@souk/kernel';
import { createAdaptiveLimit } from '../src/adaptive-limit.ts';
import { type AdaptiveLimitOptions, resolveAdaptiveLimit } from '../src/adaptive-limit-options.ts';
import { exponential, quantile, Server, Simulation } from './simulation.ts';

/** What callers saw for a while. Rates are per second, times in milliseconds. */
export interface Seen {
  readonly goodput: number;
  readonly refused: number;
  readonly p50: number;
  readonly p99: number;
  readonly limit: number;
}

export interface LimitedServer {
  /** Calls per second; they come whatever becomes of those before. */
  load: number;
  readonly server: Server;
  /** Lets so many seconds pass. */
  watch(seconds: number): Seen;
  /** Seconds until in each of three seconds on end at least so much is answered; `most` when that never is. */
  secondsUntil(goodput: number, most: number): number;
}

/** A server of unlimited patience behind a limit that has no queue: what finds no place is refused. */
export function limitedServer(
  options: AdaptiveLimitOptions,
  init: { load: number; workers?: number; serviceMs?: number; seed?: number },
): LimitedServer {
  const { load, workers = 10, serviceMs = 50, seed = 1 } = init;
  const simulation = new Simulation();
  const random = seededRandom(seed);
  const server = new Server(simulation, random, { workers, serviceMs });
  const limit = createAdaptiveLimit(resolveAdaptiveLimit(options));
  let inFlight = 0;
  let refused = 0;
  let latencies: number[] = [];
  const arrive = (): void => {
    simulation.after(exponential(random, world.load), arrive);
    if (inFlight >= limit.limit) {
      refused++;
      return;
    }
    inFlight++;
    limit.onStart(inFlight, simulation.nowMs);
    const sinceMs = simulation.nowMs;
    server.serve(() => {
      inFlight--;
      const tookMs = simulation.nowMs - sinceMs;
      latencies.push(tookMs);
      limit.onEnd('success', tookMs, inFlight, simulation.nowMs);
    });
  };
  const world: LimitedServer = {
    load,
    server,
    watch: (seconds) => {
      refused = 0;
      latencies = [];
      simulation.runUntil(simulation.nowMs + seconds * 1000);
      const goodput = latencies.length / seconds;
      const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
      return { goodput, refused: refused / seconds, p50, p99, limit: limit.limit };
    },
    secondsUntil: (goodput, most) => {
      let inARow = 0;
      for (let second = 1; second <= most; second++) {
        inARow = world.watch(1).goodput >= goodput ? inARow + 1 : 0;
        if (inARow === 3) return second - 2;
      }
      return most;
    },
  };
  simulation.after(0, arrive);
  return world;
}
