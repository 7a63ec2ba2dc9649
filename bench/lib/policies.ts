// What engines of the bench `resilience` are told and say, and how a child measures a policy of its library.

import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { median } from './result.ts';

/** The work behind every policy: answers at once. */
export type Work = () => Promise<number>;

/** Calls the work under a policy that was made for it. */
export type Call = () => Promise<unknown>;

/** Policies of a library by the name of the case. A breaker whose name ends in `-never` opens whatever happens after a billion calls. */
export type Makers = Readonly<Record<string, (work: Work, n: number) => Call>>;

/**
 * - `success`: nanoseconds per call, one after the other.
 * - `failures`: the same where `share` percent of the calls throw.
 * - `window`: the same where every other call throws and the window holds `fill` samples already.
 * - `rejection`: the same of calls that an open breaker refuses.
 * - `memory`: bytes per policy, of policies that were called once and have nothing to do.
 * - `growth`: bytes by which the heap grows over many calls.
 */
export interface PolicyOrder {
  readonly measure: 'success' | 'failures' | 'window' | 'rejection' | 'memory' | 'growth';
  readonly policy: string;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly share?: number;
  readonly fill?: number;
  /** Policies for `memory`, calls for `growth`. */
  readonly count?: number;
}

export interface PolicyReport {
  readonly value: number;
  /** Calls or policies behind the figure. */
  readonly count: number;
}

const ANSWER = 42;
const BATCH = 5000;
/** Calls by which a window may grow while it is measured. */
const SHORT_BATCH = 200;
const FAILURE = new Error('the other side has failed');

/** The inside of an engine's process. Ends it: peers keep timers. */
export async function serve(makers: Makers): Promise<void> {
  const order = JSON.parse(process.argv[2] as string) as PolicyOrder;
  const report = await measures[order.measure](makers, order);
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

const measures: Readonly<
  Record<PolicyOrder['measure'], (makers: Makers, order: PolicyOrder) => Promise<PolicyReport>>
> = {
  success: async (makers, order) => {
    const bench = new Bench(makers, order.policy);
    const report = await repeat(order, () => bench.succeed(BATCH));
    bench.check('all');
    return report;
  },
  failures: async (makers, order) => {
    const bench = new Bench(makers, order.policy, order.share);
    const report = await repeat(order, () => bench.settle(BATCH));
    bench.check('all');
    return report;
  },
  window: async (makers, { fill = 0, ...order }) => {
    const batch = async (): Promise<number> => {
      // A policy of its own each time, or the window would hold what was measured before.
      const bench = new Bench(makers, order.policy);
      await bench.settle(fill);
      bench.share = 50;
      const ms = await bench.settle(SHORT_BATCH);
      bench.check('all');
      return ms;
    };
    return repeat(order, batch, SHORT_BATCH);
  },
  rejection: async (makers, order) => {
    const bench = new Bench(makers, order.policy, 100);
    await bench.settle(100);
    bench.reset();
    const report = await repeat(order, () => bench.settle(BATCH));
    bench.check('none');
    return report;
  },
  memory: async (makers, { policy, count = 0 }) => {
    const make = makerOf(makers, policy);
    let executions = 0;
    const work: Work = async () => {
      executions++;
      return ANSWER;
    };
    const all: Call[] = [];
    const add = async (wanted: number): Promise<void> => {
      for (let n = 0; n < wanted; n++) all.push(make(work, all.length));
      for (const call of all.slice(-wanted)) await call();
    };
    // The first ones load what all share.
    await add(100);
    const before = await heapBytes();
    await add(count);
    const after = await heapBytes();
    expect(all.length === executions, `${executions} executions of ${all.length} calls`);
    return { value: (after - before) / count, count };
  },
  growth: async (makers, { policy, count = 0 }) => {
    const bench = new Bench(makers, policy);
    await bench.succeed(BATCH * 20);
    const before = await heapBytes();
    for (let done = 0; done < count; done += BATCH) await bench.succeed(BATCH);
    const after = await heapBytes();
    bench.check('all');
    return { value: after - before, count };
  },
};

/** One policy, and what became of the calls under it. */
class Bench {
  /** Percent of the executions that throw. */
  share: number;
  readonly #call: Call;
  #calls = 0;
  #executions = 0;
  #thrown = 0;
  #failures = 0;
  #sum = 0;
  /** Spreads failures evenly. */
  #due = 0;

  constructor(makers: Makers, policy: string, share = 0) {
    this.share = share;
    const work: Work = async () => {
      this.#executions++;
      this.#due += this.share;
      if (this.#due < 100) return ANSWER;
      this.#due -= 100;
      this.#thrown++;
      throw FAILURE;
    };
    this.#call = makerOf(makers, policy)(work, 0);
  }

  reset(): void {
    this.#calls = this.#executions = this.#thrown = this.#failures = this.#sum = 0;
  }

  /** @returns milliseconds */
  async succeed(count: number): Promise<number> {
    const call = this.#call;
    let sum = 0;
    const begunMs = performance.now();
    for (let n = 0; n < count; n++) sum += (await call()) as number;
    const ms = performance.now() - begunMs;
    this.#calls += count;
    this.#sum += sum;
    // Timers of the libraries get their turn, outside of the measured time.
    await turn();
    return ms;
  }

  /** As `succeed`, where calls may throw. */
  async settle(count: number): Promise<number> {
    const call = this.#call;
    let sum = 0;
    let failures = 0;
    const begunMs = performance.now();
    for (let n = 0; n < count; n++) {
      try {
        sum += (await call()) as number;
      } catch {
        failures++;
      }
    }
    const ms = performance.now() - begunMs;
    this.#calls += count;
    this.#sum += sum;
    this.#failures += failures;
    await turn();
    return ms;
  }

  /**
   * @param executed Which of the calls were to reach the work.
   * @throws when a call was lost, doubled or answered wrongly
   */
  check(executed: 'all' | 'none'): void {
    const calls = this.#calls;
    const executions = executed === 'all' ? calls : 0;
    expect(this.#executions === executions, `${this.#executions} executions of ${calls} calls, ${executions} expected`);
    const failures = executed === 'all' ? this.#thrown : calls;
    expect(this.#failures === failures, `${this.#failures} of ${calls} calls failed, ${failures} expected`);
    const sum = (calls - failures) * ANSWER;
    expect(this.#sum === sum, `the answers of ${calls} calls add up to ${this.#sum}, not ${sum}`);
  }
}

/** Batches until the time is over. @returns the median of the batches, in nanoseconds per call */
async function repeat(order: PolicyOrder, batch: () => Promise<number>, size = BATCH): Promise<PolicyReport> {
  const during = async (seconds: number): Promise<number[]> => {
    const found: number[] = [];
    const untilMs = performance.now() + seconds * 1000;
    do found.push(((await batch()) * 1e6) / size);
    while (performance.now() < untilMs);
    return found;
  };
  await during(order.warmUpSeconds);
  const found = await during(order.seconds);
  return { value: median(found), count: found.length * size };
}

/** What is in use once everything else has been collected, memory outside of the heap included. */
async function heapBytes(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('the process was started without --expose-gc');
  for (let n = 0; n < 3; n++) {
    await turn();
    gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function makerOf(makers: Makers, policy: string): Makers[string] {
  const make = makers[policy];
  if (make === undefined) throw new Error(`there is no policy ${policy} here`);
  return make;
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
