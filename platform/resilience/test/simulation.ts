import type { Random } from '@souk/kernel';

/** Events in virtual time: the earliest first, and of those of the same instant the one that was planned first. */
export class Simulation {
  nowMs = 0;
  readonly #heap: { atMs: number; order: number; run: () => void }[] = [];
  #planned = 0;

  after(ms: number, run: () => void): void {
    const event = { atMs: this.nowMs + ms, order: this.#planned++, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  runUntil(untilMs: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      const event = this.#pop();
      this.nowMs = event.atMs;
      event.run();
    }
    this.nowMs = untilMs;
  }

  #pop() {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const isBefore = (one: { atMs: number; order: number }, other: { atMs: number; order: number }): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

/** Until the next of arrivals that know nothing of each other. */
export const exponential = (random: Random, perSec: number): number => (-Math.log(1 - random.next()) / perSec) * 1000;

/** Log-normal with the given mean: most are quick, and some take long. Spread 0.5: the 99th percentile is 2.8 times the mean. */
export function logNormal(random: Random, mean: number, spread = 0.5): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return mean * Math.exp(spread * normal - (spread * spread) / 2);
}

/** M/G/c: so many workers, and a queue inside of it that nobody bounds but who sends. */
export class Server {
  workers: number;
  serviceMs: number;
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #queue: (() => void)[] = [];
  #head = 0;
  #busy = 0;

  constructor(simulation: Simulation, random: Random, init: { workers: number; serviceMs: number }) {
    this.#simulation = simulation;
    this.#random = random;
    this.workers = init.workers;
    this.serviceMs = init.serviceMs;
  }

  serve(done: () => void): void {
    this.#queue.push(done);
    this.#next();
  }

  #next(): void {
    while (this.#busy < this.workers && this.#head < this.#queue.length) {
      const done = this.#queue[this.#head++]!;
      if (this.#head > 1000) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
      this.#busy++;
      this.#simulation.after(logNormal(this.#random, this.serviceMs), () => {
        this.#busy--;
        done();
        this.#next();
      });
    }
  }
}

/** The value below which so large a share of the numbers lies; 0 of none. */
export const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
