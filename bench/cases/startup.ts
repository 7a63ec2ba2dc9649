import { get, newBuyer, order } from '../lib/buyer.ts';
import { createLoadClient } from '../lib/load.ts';
import { alone, type Result } from '../lib/result.ts';
import { type RunningShop, removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import type { Bench } from '../main.ts';

const RUNS = 5;
/** Idle means: nobody has called for this long. */
const IDLE_MS = 5000;

interface Figures {
  readonly fresh: number[];
  readonly freshRss: number[];
  readonly warm: number[];
  readonly warmRss: number[];
}

export const startup: Bench = {
  summary: 'fresh data folder to the first confirmed order, warm start to open, and idle memory of the Node.js process',
  run: async ({ quick, note }): Promise<Result[]> => {
    const figures: Figures = { fresh: [], freshRss: [], warm: [], warmRss: [] };
    for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
      const folder = await temporaryFolder();
      try {
        await measure(folder, figures);
      } finally {
        await removeFolder(folder);
      }
      note(`run ${run}: fresh ${figures.fresh.at(-1)?.toFixed(2)} s, warm ${figures.warm.at(-1)?.toFixed(2)} s`);
    }
    return [
      alone('startup', 'fresh', 'seconds', 's', figures.fresh),
      alone('startup', 'fresh', 'rss_mb', 'MiB', figures.freshRss),
      alone('startup', 'warm', 'seconds', 's', figures.warm),
      alone('startup', 'warm', 'rss_mb', 'MiB', figures.warmRss),
    ];
  },
};

async function measure(folder: string, figures: Figures): Promise<void> {
  const startedMs = performance.now();
  const fresh = await startShop(folder);
  await firstOrder(fresh);
  figures.fresh.push((performance.now() - startedMs) / 1000);
  figures.freshRss.push(await idleMemory(fresh));
  await fresh.stop();
  const warm = await startShop(folder);
  figures.warm.push(warm.openSeconds);
  await firstOrder(warm);
  figures.warmRss.push(await idleMemory(warm));
  await warm.stop();
}

async function firstOrder(shop: RunningShop): Promise<void> {
  const client = createLoadClient(shop.url, 1);
  const { products } = await get<{ products: { id: string }[] }>(client, '/api/v1/products?page_size=20');
  const buyer = await newBuyer(client);
  for (const { id } of products) {
    const { available } = await get<{ available: number }>(client, `/api/v1/products/${id}/availability`);
    if (available === 0) continue;
    const placed = await order(client, buyer, id);
    if (placed.status !== 'CONFIRMED') throw new Error(`the first order is ${placed.status}`);
    client.close();
    return;
  }
  throw new Error('no product has stock');
}

async function idleMemory(shop: RunningShop): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  return shop.residentMb();
}
