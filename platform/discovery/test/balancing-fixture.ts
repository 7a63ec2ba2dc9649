import { type Runtime, seededRandom, virtualRuntime } from '@souk/kernel';
import {
  type BalancingPicker,
  createPicker,
  type Instance,
  type Outcome,
  type PickerInit,
  type PickRequest,
  parseBalancing,
  UP,
} from '../src/index.ts';

/** A runtime whose clock is moved by hand: simulations need no timers. */
export interface SteppedRuntime extends Runtime {
  at(ms: number): void;
  pass(ms: number): void;
}

export function steppedRuntime(seed = 1): SteppedRuntime {
  let nowMs = 0;
  return {
    ...virtualRuntime({ seed }),
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    random: seededRandom(seed),
    at: (ms) => {
      nowMs = ms;
    },
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

export const instance = (id: string, change: Partial<Instance> = {}): Instance => ({
  id,
  service: 'orders',
  address: '10.0.0.1',
  port: 8080,
  protocol: 'http',
  version: '1',
  zone: '',
  weight: 1,
  tags: [],
  meta: {},
  incarnation: 'first',
  ...UP,
  ...change,
});

/** `count` instances that are up: `orders-00`, `orders-01`, ... */
export const instances = (count: number, change: (n: number) => Partial<Instance> = () => ({})): Instance[] =>
  Array.from({ length: count }, (_, n) => instance(`orders-${String(n).padStart(2, '0')}`, change(n)));

/** Without what would blur the figures of an algorithm. */
export const BARE = { slowStart: { windowMs: 0 }, outlier: { enabled: false }, panicPercent: 0 } as const;

export interface Bench {
  readonly picker: BalancingPicker;
  readonly runtime: SteppedRuntime;
  /** Tells the picker what the registry says now. */
  tell(list: readonly Instance[]): void;
  change(input: unknown): void;
  /** Picks, and ends the call at once. @returns the id, or undefined for nobody */
  call(request?: PickRequest, kind?: Outcome['kind'], lastsMs?: number): string | undefined;
  /** Calls by id. */
  calls(count: number, request?: (n: number) => PickRequest): Map<string, number>;
}

export function bench(
  input: unknown,
  list: readonly Instance[],
  init: Partial<PickerInit> & { seed?: number } = {},
): Bench {
  const { seed = 1, ...rest } = init;
  const runtime = steppedRuntime(seed);
  let settings = parseBalancing(input);
  const picker = createPicker({ service: 'orders', runtime, settings: () => settings, ...rest });
  const tell = (said: readonly Instance[]) => picker.update({ instances: said, source: 'registry' });
  const call: Bench['call'] = (request = {}, kind = 'ok', lastsMs = 0) => {
    const picked = picker.pick(request);
    if (lastsMs > 0) runtime.pass(lastsMs);
    picked?.done({ kind });
    return picked?.instance.id;
  };
  tell(list);
  return {
    picker,
    runtime,
    tell,
    change: (next) => {
      settings = parseBalancing(next);
    },
    call,
    calls: (count, request = () => ({})) => {
      const counts = new Map<string, number>();
      for (let n = 0; n < count; n++) {
        const id = call(request(n)) ?? 'nobody';
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      return counts;
    },
  };
}

/** Calls `count` times something that goes on for `id` alone, and fails there. @returns how often it was asked */
export function failOn(on: Bench, id: string, count: number, kind: Outcome['kind'] = 'error'): number {
  let asked = 0;
  for (let n = 0; n < 1000 && asked < count; n++) {
    const picked = on.picker.pick({});
    if (picked === undefined) break;
    const its = picked.instance.id === id;
    if (its) asked += 1;
    picked.done({ kind: its ? kind : 'ok' });
  }
  return asked;
}

/** Pearson's statistic against equal shares, or the given ones. */
export function chiSquare(
  counts: readonly number[],
  shares: readonly number[] = counts.map(() => 1 / counts.length),
): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * (shares[i] as number);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** Upper 0.1 % point of chi-square (Wilson and Hilferty): a fair draw is above it once in a thousand seeds, and seeds here are fixed. */
export const chiSquareLimit = (freedom: number): number =>
  freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
