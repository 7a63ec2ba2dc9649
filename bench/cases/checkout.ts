import { checkoutLoad } from '../lib/checkout-load.ts';
import { alone, type Result } from '../lib/result.ts';
import { removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import type { Bench } from '../main.ts';

const BUYERS = 32;
const RUNS = 3;
const SECONDS = 20;

export const checkout: Bench = {
  summary: `whole orders to CONFIRMED, ${BUYERS} buyers, one process; audited afterwards`,
  run: async ({ quick, note }): Promise<Result[]> => {
    const folder = await temporaryFolder();
    const shop = await startShop(folder);
    try {
      const load = await checkoutLoad(shop, BUYERS);
      const runs = [];
      for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
        const figures = await load.run(quick ? 5 : SECONDS, quick ? 2 : 5);
        runs.push(figures);
        note(
          `run ${run}: ${figures.perSecond.toFixed(1)} orders/s, p50 ${figures.p50Ms.toFixed(1)} ms, p99 ${figures.p99Ms.toFixed(1)} ms`,
        );
      }
      note(`audit of ${await load.audit()} orders: stock, money, points and notifications agree`);
      load.close();
      const of = (metric: string, unit: string, values: number[]) => alone('checkout', 'c32', metric, unit, values);
      return [
        of(
          'orders_per_second',
          '1/s',
          runs.map(({ perSecond }) => perSecond),
        ),
        of(
          'p50_ms',
          'ms',
          runs.map(({ p50Ms }) => p50Ms),
        ),
        of(
          'p99_ms',
          'ms',
          runs.map(({ p99Ms }) => p99Ms),
        ),
      ];
    } finally {
      await shop.stop();
      await removeFolder(folder);
    }
  },
};
