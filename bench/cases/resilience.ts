import { runScript } from '../lib/engines.ts';
import type { PolicyOrder, PolicyReport } from '../lib/policies.ts';
import { alone, beside, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';

interface Line {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly order: Omit<PolicyOrder, 'seconds' | 'warmUpSeconds'>;
  /** Scripts under `peers/resilience/`; the first one's figures are ours. */
  readonly engines: readonly string[];
  /** Takes long, and hardly differs from run to run. */
  readonly once?: boolean;
}

const OURS = ['souk'];
const COCKATIEL = ['souk', 'cockatiel'];
const ALL = ['souk', 'cockatiel', 'opossum'];

/** Policies and who else has them: opossum's are breakers with more or less in them. */
const POLICIES: Readonly<Record<string, readonly string[]>> = {
  'breaker-count': COCKATIEL,
  'breaker-time': ALL,
  'breaker-timeout': ALL,
  retry: COCKATIEL,
  bulkhead: COCKATIEL,
  timeout: COCKATIEL,
  'rate-limit': OURS,
  hedge: OURS,
  adaptive: OURS,
  pipeline: ALL,
};

const NS = { metric: 'ns_per_call', unit: 'ns' } as const;
const GROWTH = 'heap_growth';
const BYTES = { unit: 'B' } as const;

function lines(quick: boolean): Line[] {
  const policies = Object.entries(POLICIES);
  const idle = { metric: 'bytes_per_idle_policy', ...BYTES };
  const growth = { metric: GROWTH, ...BYTES, engines: ALL, once: true };
  const count = quick ? 1000 : 10_000;
  return [
    { case: 'bare', ...NS, order: { measure: 'success', policy: 'bare' }, engines: ['bare'] },
    ...policies.map(
      ([policy, engines]): Line => ({ case: policy, ...NS, order: { measure: 'success', policy }, engines }),
    ),
    ...[0, 50, 100].flatMap((share): Line[] => [
      {
        case: `bare-failures-${share}`,
        ...NS,
        order: { measure: 'failures', policy: 'bare', share },
        engines: ['bare'],
      },
      {
        case: `failures-${share}`,
        ...NS,
        order: { measure: 'failures', policy: 'breaker-never', share },
        engines: ALL,
      },
    ]),
    ...[1, 1000, 100_000].map(
      (fill): Line => ({
        ...{ case: `window-${fill}`, ...NS, engines: ALL },
        order: { measure: 'window', policy: 'breaker-latencies', fill },
      }),
    ),
    { case: 'rejection', ...NS, order: { measure: 'rejection', policy: 'breaker-open' }, engines: ALL },
    ...[...policies, ['pipeline-alone', OURS] as const].map(
      ([policy, engines]): Line => ({ case: policy, ...idle, order: { measure: 'memory', policy, count }, engines }),
    ),
    {
      case: 'pipeline',
      ...growth,
      order: { measure: 'growth', policy: 'pipeline', count: quick ? 50_000 : 10_000_000 },
    },
  ];
}

export const resilience: Bench = {
  summary: 'what policies cost per call and idle, beside cockatiel and opossum',
  run: async ({ quick, note }) => {
    const seconds = quick ? 0.05 : 0.6;
    const rounds = quick ? 1 : 5;
    const all = lines(quick);
    const found = new Map<Line, Map<string, number[]>>(all.map((line) => [line, new Map()]));
    for (let round = 1; round <= rounds; round++) {
      for (const line of all) {
        if (line.once === true && round > 1) continue;
        const said: string[] = [];
        for (const engine of line.engines) {
          const value = await measure(engine, { ...line.order, seconds, warmUpSeconds: seconds / 2 });
          const figures = found.get(line) as Map<string, number[]>;
          figures.set(engine, [...(figures.get(engine) ?? []), value]);
          said.push(`${engine} ${value.toFixed(0)}`);
        }
        note(`round ${round} ${line.case} ${line.metric}: ${said.join('  ')} ${line.unit}`);
      }
    }
    return all.flatMap((line) => results(line, found.get(line) as Map<string, number[]>));
  },
};

/** A process for each figure: what one policy taught the compiler must not make another slow. */
async function measure(engine: string, order: PolicyOrder): Promise<number> {
  const { value } = await runScript<PolicyReport>(`resilience/${engine}`, order, ['--expose-gc']);
  return value;
}

function results({ case: name, metric, unit, engines }: Line, figures: ReadonlyMap<string, number[]>): Result[] {
  const [own = '', ...peers] = engines;
  const ours = alone('resilience', name, metric, unit, figures.get(own) ?? []);
  const results = peers.map((peer) => beside(ours, peer, figures.get(peer) ?? [], 'lower'));
  if (results.length === 0) return [ours];
  // Growth is about nothing, more or less: how many times better says nothing.
  return metric === GROWTH ? results.map((one) => ({ ...one, ratio: null })) : results;
}
