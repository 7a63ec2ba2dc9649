import type { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import type { InventoryService } from '@souk/contracts/inventory/v1/inventory';
import { type Context, type Random, seededRandom } from '@souk/kernel';
import type { Client } from '@souk/rpc';
import { generateProducts } from '@souk/service-catalog';

export interface SeedOptions {
  readonly catalog: Client<typeof CatalogService>;
  readonly inventory: Client<typeof InventoryService>;
  readonly products: number;
  /** The same seed gives the same products; a larger number of them begins with the smaller one. */
  readonly seed: number;
  /** Called after every batch. */
  readonly onProgress?: (done: number) => void;
}

const SOLD_OUT_SHARE = 0.02;
const MOST_IN_STOCK = 500;
/** Batches on their way at once: one is stored while the next is made. */
const IN_FLIGHT = 2;
const BATCH_TIMEOUT_MS = 60_000;

/**
 * Fills catalog and stock with made-up products, through the contracts of the services. What is there already is left alone, so an interrupted run is
 * simply repeated. @returns how many products were new
 */
export async function seedShop(ctx: Context, options: SeedOptions): Promise<number> {
  const { products: count, seed, onProgress = () => {} } = options;
  const stockRandom = seededRandom(seed + 1);
  const running = new Set<Promise<void>>();
  let imported = 0;
  let done = 0;
  for (const batch of generateProducts({ random: seededRandom(seed), count })) {
    const lines = batch.map(({ id }) => ({ productId: id, onHand: stockFor(stockRandom) }));
    const store = async () => {
      const answer = await options.catalog.importProducts(
        ctx,
        { products: batch.map((product) => ({ ...product, prices: [...product.prices] })) },
        { timeoutMs: BATCH_TIMEOUT_MS },
      );
      await options.inventory.importStock(ctx, { lines }, { timeoutMs: BATCH_TIMEOUT_MS });
      imported += answer.imported;
      done += batch.length;
      onProgress(done);
    };
    const work = store().finally(() => running.delete(work));
    running.add(work);
    if (running.size >= IN_FLIGHT) await Promise.race(running);
  }
  await Promise.all(running);
  return imported;
}

const stockFor = (random: Random): number =>
  random.next() < SOLD_OUT_SHARE ? 0 : 1 + Math.floor(random.next() * MOST_IN_STOCK);
