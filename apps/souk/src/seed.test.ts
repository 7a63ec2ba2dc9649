import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, rootContext, virtualRuntime } from '@souk/kernel';
import { type SeedOptions, seedShop } from './seed.ts';

const failures = defineErrors('CATALOG', { DOWN: { code: 'unavailable', text: 'down', retry: 'later' } });
const ctx = rootContext({ runtime: virtualRuntime() });

async function seed(products: number, seedNumber = 1, importProducts?: () => Promise<never>) {
  const names: string[] = [];
  const stock = new Map<string, number>();
  const done: number[] = [];
  const options = {
    catalog: {
      importProducts: async (_ctx: unknown, request: { products: { id: string; name: string }[] }) => {
        await importProducts?.();
        names.push(...request.products.map(({ id, name }) => `${id} ${name}`));
        return { imported: request.products.length };
      },
    },
    inventory: {
      importStock: async (_ctx: unknown, { lines }: { lines: { productId: string; onHand: number }[] }) => {
        for (const { productId, onHand } of lines) stock.set(productId, onHand);
        return { imported: lines.length };
      },
    },
    products,
    seed: seedNumber,
    onProgress: (count: number) => void done.push(count),
  } as unknown as SeedOptions;
  const imported = await seedShop(ctx, options);
  return { imported, names, stock, done };
}

test('as many products are made as were asked for, each with a stock', async () => {
  const { imported, names, stock, done } = await seed(700);
  assert.deepEqual([imported, names.length, stock.size, done.at(-1)], [700, 700, 700, 700]);
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
  assert.ok([...stock.values()].every((onHand) => Number.isInteger(onHand) && onHand >= 0 && onHand <= 500));
});

test('the same seed makes the same shop, and a larger one begins with the smaller', async () => {
  const [small, again, large, other] = [await seed(300), await seed(300), await seed(600), await seed(300, 2)];
  assert.deepEqual(again.names, small.names);
  assert.deepEqual([...again.stock], [...small.stock]);
  assert.deepEqual(large.names.slice(0, 300), small.names);
  assert.notDeepEqual(other.names, small.names);
});

test('a failure ends it, and none is left unheard', async () => {
  const down = async () => {
    throw failures.DOWN();
  };
  await assert.rejects(seed(5000, 1, down), { reason: 'CATALOG_DOWN' });
});
