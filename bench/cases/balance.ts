import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ALGORITHMS, type AlgorithmName, createPicker, type Instance, parseBalancing, UP } from '@souk/discovery';
import { systemRuntime } from '@souk/kernel';
import { seededNumbers } from '../lib/draw.ts';
import { alone, percentile, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';

const SIZES = [10, 100, 1000];
const RUNS = 5;
const KEYS = Array.from({ length: 4096 }, (_, n) => ({ key: `user-${n}` }));
const OK = { kind: 'ok' } as const;

/** A fleet of queues: what a call takes is drawn, and an instance works on few at a time. */
const FLEET = { instances: 10, workers: 4, meanMs: 10, load: 0.7, slowness: 10 };
const TAILS: readonly AlgorithmName[] = ['leastRequest', 'peakEwma', 'roundRobin', 'random'];

export const balance: Bench = {
  summary: 'picks per second by algorithm and number of instances; p99 with one of ten instances ten times slower',
  run: async ({ quick, note }) => {
    const results: Result[] = [];
    for (const algorithm of ALGORITHMS)
      for (const size of SIZES) {
        const figures: number[] = [];
        for (let run = 1; run <= (quick ? 1 : RUNS); run++)
          figures.push(await inOwnThread({ algorithm, size, milliseconds: quick ? 20 : 500 }));
        const result = alone('balance', `${algorithm}-${size}`, 'picks_per_second', '1/s', figures);
        note(`${algorithm} of ${size}: ${Math.round(result.ours)} picks/s`);
        results.push(result);
      }
    for (const algorithm of TAILS) {
      const runs = quick ? 1 : 3;
      const seconds = quick ? 2 : 20;
      const figures = { healthy: [] as number[], slow: [] as number[], times: [] as number[] };
      for (let run = 1; run <= runs; run++) {
        // Side by side, so that whatever else the machine does hits both.
        const [healthy, slow] = await Promise.all([
          tail(algorithm, 1, seconds, run),
          tail(algorithm, FLEET.slowness, seconds, run),
        ]);
        figures.healthy.push(healthy);
        figures.slow.push(slow);
        figures.times.push(slow / healthy);
        note(`${algorithm} ${run}: p99 ${healthy.toFixed(1)} ms, with a slow instance ${slow.toFixed(1)} ms`);
      }
      results.push(
        alone('balance', `${algorithm}-healthy`, 'p99_ms', 'ms', figures.healthy),
        alone('balance', `${algorithm}-one-slow`, 'p99_ms', 'ms', figures.slow),
        alone('balance', `${algorithm}-one-slow`, 'p99_times_healthy', 'x', figures.times),
      );
    }
    return results;
  },
};

interface PickOrder {
  readonly algorithm: AlgorithmName;
  readonly size: number;
  readonly milliseconds: number;
}

/** A thread for each figure: what one algorithm taught the compiler must not make another slow. */
const inOwnThread = (order: PickOrder): Promise<number> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { balance: order } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });

const order = isMainThread ? undefined : (workerData as { balance?: PickOrder } | null)?.balance;
if (order !== undefined) queueMicrotask(() => parentPort?.postMessage(picksPerSecond(order)));

function fleet(algorithm: AlgorithmName, size: number) {
  const settings = parseBalancing({ algorithm });
  const picker = createPicker({ service: 'bench', runtime: systemRuntime(), settings: () => settings });
  const instances = Array.from(
    { length: size },
    (_, n): Instance => ({
      ...{ ...UP, id: `bench-${n}`, service: 'bench', address: '127.0.0.1', port: 1024 + n, protocol: 'http' },
      ...{ version: '1', zone: '', weight: 1, tags: [], meta: {}, incarnation: 'bench' },
    }),
  );
  picker.update({ source: 'registry', instances });
  return picker;
}

/** Picks with a key each, and their ends. A dozen are in flight, as they would be. */
function picksPerSecond({ algorithm, size, milliseconds }: PickOrder): number {
  const picker = fleet(algorithm, size);
  const open = Array.from({ length: 12 }, (_, n) => picker.pick(KEYS[n] as { key: string }));
  let picks = open.length;
  const work = (forMs: number): number => {
    const startedMs = performance.now();
    const before = picks;
    for (;;) {
      for (let n = 0; n < 256; n++) {
        const slot = picks % open.length;
        open[slot]?.done(OK);
        open[slot] = picker.pick(KEYS[picks & 4095] as { key: string });
        picks += 1;
      }
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs >= forMs) return ((picks - before) / elapsedMs) * 1000;
    }
  };
  work(milliseconds / 4);
  const perSecond = work(milliseconds);
  for (const picked of open) picked?.done(OK);
  const { instances } = picker.describe();
  const counted = instances.reduce((sum, one) => sum + one.picks, 0);
  if (counted !== picks) throw new Error(`${algorithm}: ${picks} picks were made and ${counted} counted`);
  if (instances.some(({ inFlight }) => inFlight !== 0)) throw new Error(`${algorithm}: something is still in flight`);
  return perSecond;
}

/** Calls that arrive by chance on instances with a queue each, in real time. @returns the p99 in milliseconds */
async function tail(algorithm: AlgorithmName, slowness: number, seconds: number, seed: number): Promise<number> {
  const picker = fleet(algorithm, FLEET.instances);
  const next = seededNumbers(seed);
  const exponential = (mean: number) => -Math.log(1 - next()) * mean;
  const gapMs = FLEET.meanMs / (FLEET.instances * FLEET.workers * FLEET.load);
  const queues = new Map<string, { busy: number; readonly waiting: (() => void)[] }>();
  const latencies: number[] = [];
  let begun = 0;

  const call = (): void => {
    begun += 1;
    const picked = picker.pick({});
    if (picked === undefined) throw new Error('nobody was picked');
    const { id } = picked.instance;
    const queue = queues.get(id) ?? { busy: 0, waiting: [] };
    queues.set(id, queue);
    const startedMs = performance.now();
    const work = (): void => {
      queue.busy += 1;
      const lastsMs = exponential(FLEET.meanMs) * (id === 'bench-0' ? slowness : 1);
      setTimeout(() => {
        queue.busy -= 1;
        picked.done(OK);
        latencies.push(performance.now() - startedMs);
        queue.waiting.shift()?.();
      }, lastsMs);
    };
    if (queue.busy < FLEET.workers) work();
    else queue.waiting.push(work);
  };

  const startedMs = performance.now();
  let dueMs = startedMs;
  while (performance.now() - startedMs < seconds * 1000) {
    // As many as are due by now: timers are too coarse to wait for each.
    while (dueMs <= performance.now()) {
      call();
      dueMs += exponential(gapMs);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const warmUp = Math.floor(latencies.length / 10);
  const p99 = percentile(latencies.slice(warmUp), 0.99);
  while (latencies.length < begun) {
    for (const queue of queues.values())
      if (queue.waiting.length > 100) for (const work of queue.waiting.splice(0)) work();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { instances } = picker.describe();
  if (instances.reduce((sum, one) => sum + one.picks, 0) !== begun) throw new Error('picks are missing or doubled');
  if (instances.some(({ inFlight }) => inFlight !== 0)) throw new Error('something is still in flight');
  return p99;
}
