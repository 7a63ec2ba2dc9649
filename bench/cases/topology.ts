import { checkoutLoad } from '../lib/checkout-load.ts';
import { treeUse } from '../lib/process-tree.ts';
import { alone, type Result } from '../lib/result.ts';
import { removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import type { Bench } from '../main.ts';

const BUYERS = 32;
const ROUNDS = 3;
const SECONDS = 15;
const TOPOLOGIES = ['one', 'split'] as const;

interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of all Node.js processes per order, and of PostgreSQL. */
  readonly nodeCpuMs: number;
  readonly databaseCpuMs: number;
  readonly nodeMb: number;
}

export const topology: Bench = {
  summary: `the same checkout load on one process and on a process per service, ${BUYERS} buyers; audited afterwards`,
  run: async ({ quick, note }): Promise<Result[]> => {
    const folders = await Promise.all(TOPOLOGIES.map(() => temporaryFolder()));
    const rounds = new Map<string, Round[]>(TOPOLOGIES.map((name) => [name, []]));
    try {
      for (let round = 1; round <= (quick ? 1 : ROUNDS); round++) {
        for (const [index, name] of TOPOLOGIES.entries()) {
          const figures = await measure(name, folders[index] as string, quick);
          rounds.get(name)?.push(figures);
          const { perSecond, p50Ms, p99Ms, nodeCpuMs, databaseCpuMs, nodeMb } = figures;
          note(
            `round ${round}, ${name}: ${perSecond.toFixed(1)} orders/s, p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, ` +
              `CPU per order ${nodeCpuMs.toFixed(1)} ms Node.js + ${databaseCpuMs.toFixed(1)} ms PostgreSQL, ${nodeMb.toFixed(0)} MB`,
          );
        }
      }
    } finally {
      await Promise.all(folders.map(removeFolder));
    }
    const metrics: readonly [keyof Round, string, string][] = [
      ['perSecond', 'orders_per_second', '1/s'],
      ['p50Ms', 'p50_ms', 'ms'],
      ['p99Ms', 'p99_ms', 'ms'],
      ['nodeCpuMs', 'node_cpu_ms_per_order', 'ms'],
      ['databaseCpuMs', 'postgres_cpu_ms_per_order', 'ms'],
      ['nodeMb', 'node_rss_mb', 'MB'],
    ];
    return TOPOLOGIES.flatMap((name) =>
      metrics.map(([key, metric, unit]) =>
        alone(
          'topology',
          name,
          metric,
          unit,
          (rounds.get(name) as Round[]).map((one) => one[key]),
        ),
      ),
    );
  },
};

async function measure(name: (typeof TOPOLOGIES)[number], folder: string, quick: boolean): Promise<Round> {
  const shop = await startShop(folder, {
    SOUK_TOPOLOGY: name,
    TOPOLOGY_REGISTRY_PORT: '0',
    TOPOLOGY_DNS_PORT: '0',
  });
  try {
    const load = await checkoutLoad(shop, BUYERS);
    await load.run(1, quick ? 2 : 5);
    const before = treeUse(shop.pid);
    const seconds = quick ? 5 : SECONDS;
    const { perSecond, p50Ms, p99Ms } = await load.run(seconds, 0);
    const after = treeUse(shop.pid);
    await load.audit();
    load.close();
    const orders = perSecond * seconds;
    return {
      perSecond,
      p50Ms,
      p99Ms,
      nodeCpuMs: (after.nodeMs - before.nodeMs) / orders,
      databaseCpuMs: (after.databaseMs - before.databaseMs) / orders,
      nodeMb: after.nodeMb,
    };
  } finally {
    await shop.stop();
  }
}
