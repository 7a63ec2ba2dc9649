import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { get } from '../lib/buyer.ts';
import { closedLoop, createLoadClient, type LoadClient } from '../lib/load.ts';
import { alone, percentile, type Result } from '../lib/result.ts';
import { removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import type { Bench } from '../main.ts';

const PRODUCTS = 100_000;
const READERS = 50;
const RUNS = 3;
const SECONDS = 15;
const SOUK = fileURLToPath(new URL('../../apps/souk/bin/souk.js', import.meta.url));

/** What readers look for, from broad to narrow; a misspelt word is among them. */
const WORDS =
  'lamp chair oak linen steel coffee wool garden ceramic kettle running jacket bottle wireless notebook leather tea blue copper espreso'.split(
    ' ',
  );
const SORTS = ['relevance', 'price_asc', 'price_desc', 'name', 'newest'];

export const catalog: Bench = {
  summary: `searches and product reads with ${PRODUCTS} products and ${READERS} readers`,
  run: async ({ quick, note }): Promise<Result[]> => {
    const folder = await temporaryFolder();
    const shop = await startShop(folder, { DEMO_PRODUCTS: '0' });
    try {
      const seconds = seed(shop.url, folder);
      note(`${PRODUCTS} products seeded in ${seconds.toFixed(1)} s`);
      const client = createLoadClient(shop.url, READERS);
      const reader = await createReader(client);
      const figures = { rate: [] as number[], p50: [] as number[], p99: [] as number[], readP99: [] as number[] };
      for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
        reader.reset();
        const { perSecond } = await closedLoop({
          workers: READERS,
          warmUpSeconds: quick ? 2 : 5,
          seconds: quick ? 5 : SECONDS,
          work: reader.turn,
        });
        figures.rate.push(perSecond);
        figures.p50.push(percentile(reader.searches, 0.5));
        figures.p99.push(percentile(reader.searches, 0.99));
        figures.readP99.push(percentile(reader.reads, 0.99));
        note(`run ${run}: ${perSecond.toFixed(0)} requests/s, search p99 ${figures.p99.at(-1)?.toFixed(1)} ms`);
      }
      client.close();
      return [
        alone('catalog', 'seed', 'seconds', 's', [seconds]),
        alone('catalog', 'mixed', 'requests_per_second', '1/s', figures.rate),
        alone('catalog', 'search', 'p50_ms', 'ms', figures.p50),
        alone('catalog', 'search', 'p99_ms', 'ms', figures.p99),
        alone('catalog', 'read', 'p99_ms', 'ms', figures.readP99),
      ];
    } finally {
      await shop.stop();
      await removeFolder(folder);
    }
  },
};

function seed(url: string, folder: string): number {
  const startedMs = performance.now();
  const done = spawnSync(process.execPath, [SOUK, 'seed', '--products', String(PRODUCTS), '--url', url], {
    cwd: folder,
    env: { ...process.env, SOUK_DATA: `${folder}/data` },
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`seeding failed: ${done.stderr}`);
  return (performance.now() - startedMs) / 1000;
}

interface ProductList {
  readonly products: readonly { readonly id: string; readonly category: string }[];
  readonly nextPageToken: string;
}

/** Seven searches to three product reads, every request another one. */
async function createReader(client: LoadClient) {
  const { categories } = await get<{ categories: { slug: string }[] }>(client, '/api/v1/categories');
  const slugs = categories.map(({ slug }) => slug);
  const searches: number[] = [];
  const reads: number[] = [];
  let seen: string[] = [];
  let count = 0;

  const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;
  const timed = async <T>(path: string, into: number[]): Promise<T> => {
    const startedMs = performance.now();
    const answer = await get<T>(client, path);
    into.push(performance.now() - startedMs);
    return answer;
  };

  const search = async (n: number): Promise<void> => {
    const query = new URLSearchParams({ page_size: '20', sort: pick(SORTS, n) });
    if (n % 3 !== 0) query.set('query', `${pick(WORDS, n)} ${n % 5 === 0 ? pick(WORDS, n * 7 + 3) : ''}`.trim());
    if (n % 3 !== 1) query.set('category', pick(slugs, n * 13));
    if (n % 4 === 0) {
      query.set('min_price', String((n * 37) % 5000));
      query.set('max_price', String(5000 + ((n * 91) % 50_000)));
    }
    const { products } = await timed<ProductList>(`/api/v1/products?${query}`, searches);
    if (!Array.isArray(products)) throw new Error('a search has no products');
    if (products.length > 0) seen = [...seen.slice(-500), ...products.map(({ id }) => id)];
  };

  const read = async (n: number): Promise<void> => {
    const id = pick(seen, n * 17);
    const product = await timed<{ id: string }>(`/api/v1/products/${id}`, reads);
    if (product.id !== id) throw new Error(`asked for ${id}, got ${product.id}`);
  };

  return {
    searches,
    reads,
    reset: () => {
      searches.length = 0;
      reads.length = 0;
    },
    turn: async () => {
      const n = count++;
      await (n % 10 < 7 || seen.length === 0 ? search(n) : read(n));
    },
  };
}
