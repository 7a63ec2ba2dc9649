import { auditOrders, setStock } from '../lib/audit.ts';
import { get, newBuyer, order, type PlacedOrder, signIn } from '../lib/buyer.ts';
import { closedLoop, createLoadClient } from '../lib/load.ts';
import { alone, percentile, type Result } from '../lib/result.ts';
import { removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import type { Bench } from '../main.ts';

const BUYERS = 32;
const PRODUCTS = 100;
const STOCK = 1_000_000;
const RUNS = 3;
const SECONDS = 20;

export const checkout: Bench = {
  summary: `whole orders to CONFIRMED, ${BUYERS} buyers, one process; audited afterwards`,
  run: async ({ quick, note }): Promise<Result[]> => {
    const folder = await temporaryFolder();
    const shop = await startShop(folder);
    try {
      const client = createLoadClient(shop.url, BUYERS);
      const admin = await signIn(client, 'admin@souk.local', shop.adminPassword);
      const { products } = await get<{ products: { id: string }[] }>(client, `/api/v1/products?page_size=${PRODUCTS}`);
      const ids = products.map(({ id }) => id);
      await setStock(client, admin, ids, STOCK);
      const buyers = [];
      for (let n = 0; n < BUYERS; n++) buyers.push(await newBuyer(client));

      const placed: PlacedOrder[] = [];
      const work = async (worker: number, round: number): Promise<void> => {
        const buyer = buyers[worker] as (typeof buyers)[number];
        const result = await order(client, buyer, ids[(worker * 31 + round * 7) % ids.length] as string);
        if (result.status !== 'CONFIRMED') throw new Error(`order ${result.id} is ${result.status}`);
        placed.push(result);
      };
      const figures = { rate: [] as number[], p50: [] as number[], p99: [] as number[] };
      for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
        const { latencies, perSecond } = await closedLoop({
          workers: BUYERS,
          warmUpSeconds: quick ? 2 : 5,
          seconds: quick ? 5 : SECONDS,
          work,
        });
        figures.rate.push(perSecond);
        figures.p50.push(percentile(latencies, 0.5));
        figures.p99.push(percentile(latencies, 0.99));
        note(
          `run ${run}: ${perSecond.toFixed(1)} orders/s, p50 ${figures.p50.at(-1)?.toFixed(1)} ms, p99 ${figures.p99.at(-1)?.toFixed(1)} ms`,
        );
      }
      const violations = await auditOrders(client, shop.adminPassword, { placed, buyers, ids, stock: STOCK });
      if (violations.length > 0)
        throw new Error(`the audit found ${violations.length} violations:\n${violations.slice(0, 10).join('\n')}`);
      note(`audit of ${placed.length} orders: stock, money, points and notifications agree`);
      client.close();
      return [
        alone('checkout', 'c32', 'orders_per_second', '1/s', figures.rate),
        alone('checkout', 'c32', 'p50_ms', 'ms', figures.p50),
        alone('checkout', 'c32', 'p99_ms', 'ms', figures.p99),
      ];
    } finally {
      await shop.stop();
      await removeFolder(folder);
    }
  },
};
