import type { Picked } from '../src/index.ts';
import { type Bench, bench, instances } from './balancing-fixture.ts';

export interface Load {
  readonly backends: number;
  readonly workers: number;
  /** Mean time of a call, in milliseconds; times are exponential. */
  readonly meanMs: number;
  /** Share of what all can do when all are well. */
  readonly load: number;
  /** How many times slower each backend is. */
  readonly slowness: (backend: number) => number;
  readonly calls: number;
}

interface Backend {
  busy: number;
  readonly waiting: { readonly picked: Picked; readonly arrivedMs: number }[];
}

/** Backends with a queue and workers each, calls that arrive by chance, time that passes from one event to the next. @returns latencies */
export function simulate(settings: unknown, load: Load, seed = 1): number[] {
  const on: Bench = bench(settings, instances(load.backends), { seed });
  const { runtime, picker } = on;
  const exponential = (mean: number) => -Math.log(1 - runtime.random.next()) * mean;
  const gapMs = load.meanMs / (load.backends * load.workers * load.load);
  const backends = new Map(
    instances(load.backends).map(({ id }, n) => [
      id,
      { busy: 0, waiting: [] as Backend['waiting'], slow: load.slowness(n) },
    ]),
  );
  const events = createEvents();
  const latencies: number[] = [];
  let nowMs = 0;

  const serve = (id: string): void => {
    const backend = backends.get(id) as Backend & { slow: number };
    while (backend.busy < load.workers) {
      const next = backend.waiting.shift();
      if (next === undefined) return;
      backend.busy += 1;
      events.add(nowMs + exponential(load.meanMs) * backend.slow, () => {
        backend.busy -= 1;
        latencies.push(nowMs - next.arrivedMs);
        next.picked.done({ kind: 'ok' });
        serve(id);
      });
    }
  };
  let left = load.calls;
  const arrive = (): void => {
    const picked = picker.pick({});
    if (picked !== undefined) {
      backends.get(picked.instance.id)?.waiting.push({ picked, arrivedMs: nowMs });
      serve(picked.instance.id);
    }
    left -= 1;
    if (left > 0) events.add(nowMs + exponential(gapMs), arrive);
  };
  events.add(0, arrive);
  for (let event = events.take(); event !== undefined; event = events.take()) {
    nowMs = event.atMs;
    runtime.at(nowMs);
    event.run();
  }
  // The first tenth is the way into the steady state.
  return latencies.slice(Math.floor(load.calls / 10));
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Events in the order of their times. */
function createEvents() {
  const heap: Event[] = [];
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b] as Event, heap[a] as Event];
  };
  const at = (index: number): number => heap[index]?.atMs ?? Number.POSITIVE_INFINITY;
  return {
    add: (atMs: number, run: () => void): void => {
      let child = heap.push({ atMs, run }) - 1;
      while (child > 0 && at((child - 1) >> 1) > at(child)) {
        swap(child, (child - 1) >> 1);
        child = (child - 1) >> 1;
      }
    },
    take: (): Event | undefined => {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      heap[0] = last;
      for (let parent = 0; ; ) {
        const child = at(2 * parent + 1) <= at(2 * parent + 2) ? 2 * parent + 1 : 2 * parent + 2;
        if (at(child) >= at(parent)) break;
        swap(child, parent);
        parent = child;
      }
      return first;
    },
  };
}

export const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN;
