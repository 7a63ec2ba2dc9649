import { type Random, seededRandom } from '@souk/kernel';
import type { Waiter } from '../src/gate.ts';
import { resolveShed, type ShedOptions } from '../src/shed-options.ts';
import { createShedder, type Shedder } from '../src/shedder.ts';
import { exponential, quantile, Server, Simulation } from './simulation.ts';

/** By class, the most important first. */
export interface ClassSeen {
  /** Share of the calls that were answered. */
  readonly served: number;
  readonly p99: number;
}

export interface SheddingServer {
  /** Calls per second, by class. */
  load: number[];
  readonly server: Server;
  readonly shedder: Shedder;
  readonly nowMs: number;
  watch(seconds: number): { readonly classes: readonly ClassSeen[]; readonly goodput: number };
}

/** A server behind a shedder and its queue; calls are given up after a second. */
export function sheddingServer(
  options: ShedOptions,
  init: { load: number[]; workers?: number; serviceMs?: number; seed?: number },
): SheddingServer {
  const { load, workers = 10, serviceMs = 50, seed = 1 } = init;
  const simulation = new Simulation();
  const random = seededRandom(seed);
  const server = new Server(simulation, random, { workers, serviceMs });
  const shedder = createShedder(resolveShed(options), { random });
  let came = load.map(() => 0);
  let tookMs = load.map((): number[] => []);

  class Call implements Waiter {
    gateNext: Waiter | undefined = undefined;
    gatePrevious: Waiter | undefined = undefined;
    readonly priority: number;
    readonly enqueuedMs = simulation.nowMs;
    readonly deadlineMs = simulation.nowMs + 1000;

    constructor(priority: number) {
      this.priority = priority;
    }

    admit(nowMs: number): void {
      server.serve(() => {
        const endMs = simulation.nowMs;
        if (endMs <= this.deadlineMs) tookMs[this.priority]!.push(endMs - this.enqueuedMs);
        shedder.done('success', endMs - nowMs, endMs);
        shedder.gate.release(endMs);
      });
    }

    refuse(): void {
      shedder.refusedByGate(simulation.nowMs);
      shedder.done('rejected', 0, simulation.nowMs);
    }
  }

  const arrive = (priority: number, random: Random): void => {
    const next = (): void => {
      const perSec = world.load[priority]!;
      simulation.after(perSec === 0 ? 1000 : exponential(random, perSec), next);
      if (perSec === 0) return;
      came[priority]!++;
      const { nowMs } = simulation;
      if (shedder.admit(priority, undefined, nowMs) !== undefined) return;
      const call = new Call(priority);
      if (shedder.gate.tryEnter(priority, nowMs)) call.admit(nowMs);
      else if (shedder.gate.enqueue(call, nowMs) !== undefined) call.refuse();
      else
        simulation.after(shedder.gate.maxWaitMs(nowMs), () => {
          if (shedder.gate.leave(call, simulation.nowMs)) call.refuse();
        });
    };
    simulation.after(0, next);
  };

  const world: SheddingServer = {
    load,
    server,
    shedder,
    get nowMs() {
      return simulation.nowMs;
    },
    watch: (seconds) => {
      came = load.map(() => 0);
      tookMs = load.map(() => []);
      simulation.runUntil(simulation.nowMs + seconds * 1000);
      const classes = tookMs.map((took, rank) => ({ served: took.length / came[rank]!, p99: quantile(took, 0.99) }));
      return { classes, goodput: tookMs.reduce((sum, took) => sum + took.length, 0) / seconds };
    },
  };
  for (const rank of load.keys()) arrive(rank, random);
  return world;
}
