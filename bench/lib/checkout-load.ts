import { auditOrders, setStock } from './audit.ts';
import { get, newBuyer, order, type PlacedOrder, signIn } from './buyer.ts';
import { closedLoop, createLoadClient } from './load.ts';
import { percentile } from './result.ts';
import type { RunningShop } from './shop.ts';

export interface CheckoutFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Buyers who order, each one order after the other, and wait for each to be CONFIRMED. */
export interface CheckoutLoad {
  /** One timed run, after a warm-up that is not counted. */
  run(seconds: number, warmUpSeconds: number): Promise<CheckoutFigures>;
  /** @returns how many orders were made. @throws when stock, money, points or notifications do not agree with them */
  audit(): Promise<number>;
  close(): void;
}

const PRODUCTS = 100;
const STOCK = 1_000_000;

export async function checkoutLoad(shop: RunningShop, workers: number): Promise<CheckoutLoad> {
  const client = createLoadClient(shop.url, workers);
  const admin = await signIn(client, 'admin@souk.local', shop.adminPassword);
  const { products } = await get<{ products: { id: string }[] }>(client, `/api/v1/products?page_size=${PRODUCTS}`);
  const ids = products.map(({ id }) => id);
  await setStock(client, admin, ids, STOCK);
  const buyers: Awaited<ReturnType<typeof newBuyer>>[] = [];
  for (let n = 0; n < workers; n++) buyers.push(await newBuyer(client));
  const placed: PlacedOrder[] = [];
  const work = async (worker: number, round: number): Promise<void> => {
    const buyer = buyers[worker] as (typeof buyers)[number];
    const result = await order(client, buyer, ids[(worker * 31 + round * 7) % ids.length] as string);
    if (result.status !== 'CONFIRMED') throw new Error(`order ${result.id} is ${result.status}`);
    placed.push(result);
  };
  return {
    run: async (seconds, warmUpSeconds) => {
      const { latencies, perSecond } = await closedLoop({ workers, warmUpSeconds, seconds, work });
      return { perSecond, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
    },
    audit: async () => {
      const violations = await auditOrders(client, shop.adminPassword, { placed, buyers, ids, stock: STOCK });
      if (violations.length > 0)
        throw new Error(`the audit found ${violations.length} violations:\n${violations.slice(0, 10).join('\n')}`);
      return placed.length;
    },
    close: () => client.close(),
  };
}
