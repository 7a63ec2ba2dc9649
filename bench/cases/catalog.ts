import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { get } from '../lib/buyer.ts';
import { cpuTimeOf } from '../lib/cpu.ts';
import { seededNumbers, uniform, zipf } from '../lib/draw.ts';
import { closedLoop, createLoadClient, type LoadClient } from '../lib/load.ts';
import { type ProductList, type Range, readRange } from '../lib/range.ts';
import { alone, percentile, type Result } from '../lib/result.ts';
import { type RunningShop, removeFolder, startShop, temporaryFolder } from '../lib/shop.ts';
import { checkAnswer, checkByHand, createSearches, pathOf, type SearchRequest } from '../lib/shopper.ts';
import type { Bench } from '../main.ts';

const PRODUCTS = 100_000;
const READERS = 50;
const RUNS = 3;
const SECONDS = 15;
const SEARCH_SHARE = 0.7;
/** Answers asked for once more after a run. */
const SAMPLE = 50;
const SOUK = fileURLToPath(new URL('../../apps/souk/bin/souk.js', import.meta.url));

/** `zipf`: as people search, few things often and many rarely. `uniform`: no search is ever repeated, so that none is answered from memory. */
export const CASES = ['zipf', 'uniform'] as const;
export type Case = (typeof CASES)[number];

export const catalog: Bench = {
  summary: `searches and product reads with ${PRODUCTS} products and ${READERS} readers`,
  run: async ({ quick, note }): Promise<Result[]> => {
    const folder = await temporaryFolder();
    const shop = await startShop(folder, { DEMO_PRODUCTS: '0' });
    try {
      const seconds = seed(shop.url, folder);
      note(`${PRODUCTS} products seeded in ${seconds.toFixed(1)} s`);
      const client = createLoadClient(shop.url, READERS);
      const range = await readRange(client);
      const distinct = new Set(range.products.map(({ id }) => id)).size;
      if (distinct !== PRODUCTS || range.products.length !== PRODUCTS)
        throw new Error(`leafing through all categories showed ${distinct} products`);
      const results = [alone('catalog', 'seed', 'seconds', 's', [seconds])];
      for (const name of CASES) results.push(...(await measure(name, shop, client, range, quick, note)));
      client.close();
      return results;
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

const METRICS = [
  ['requests_per_second', '1/s'],
  ['search_p50_ms', 'ms'],
  ['search_p99_ms', 'ms'],
  ['read_p99_ms', 'ms'],
  ['shop_cpu_ms', 'ms per request'],
  ['database_cpu_ms', 'ms per request'],
] as const;

export async function measure(
  name: Case,
  shop: Pick<RunningShop, 'pid'>,
  client: LoadClient,
  range: Range,
  quick: boolean,
  note: (line: string) => void,
): Promise<Result[]> {
  const reader = createReader(name, client, range);
  const figures = METRICS.map(() => [] as number[]);
  for (let run = 1; run <= (quick ? 1 : RUNS); run++) {
    const window = { warmUpSeconds: quick ? 2 : 5, seconds: quick ? 5 : SECONDS };
    await closedLoop({ workers: READERS, warmUpSeconds: 0, seconds: window.warmUpSeconds, work: reader.turn });
    reader.reset();
    const before = cpuTimeOf(shop.pid);
    const { perSecond } = await closedLoop({
      workers: READERS,
      warmUpSeconds: 0,
      seconds: window.seconds,
      work: reader.turn,
    });
    const after = cpuTimeOf(shop.pid);
    const requests = reader.searches.length + reader.reads.length;
    const measured = [
      perSecond,
      percentile(reader.searches, 0.5),
      percentile(reader.searches, 0.99),
      percentile(reader.reads, 0.99),
      (after.shopMs - before.shopMs) / requests,
      (after.databaseMs - before.databaseMs) / requests,
    ];
    for (const [i, value] of measured.entries()) figures[i]?.push(value);
    const shown = measured.map((value, i) => `${METRICS[i]?.[0]} ${value.toPrecision(3)}`);
    note(`${name} ${run}: ${shown.join(', ')}`);
    await reader.verify();
  }
  return METRICS.map(([metric, unit], i) => alone('catalog', name, metric, unit, figures[i] ?? []));
}

/** Seven searches to three product reads. */
function createReader(name: Case, client: LoadClient, range: Range) {
  const next = seededNumbers(name === 'zipf' ? 1 : 2);
  const draw = (name === 'zipf' ? zipf : uniform)(next);
  const nextSearch = createSearches(range, next, draw, name === 'uniform');
  const searches: number[] = [];
  const reads: number[] = [];
  const sample: { search: SearchRequest; answer: ProductList }[] = [];

  const timed = async <T>(path: string, into: number[]): Promise<T> => {
    const startedMs = performance.now();
    const answer = await get<T>(client, path);
    into.push(performance.now() - startedMs);
    return answer;
  };

  return {
    searches,
    reads,
    reset: () => {
      for (const list of [searches, reads, sample]) list.length = 0;
    },
    turn: async (): Promise<void> => {
      if (next() < SEARCH_SHARE) {
        const search = nextSearch();
        const answer = await timed<ProductList>(pathOf(search), searches);
        checkAnswer(search, answer);
        if (sample.length < SAMPLE) sample.push({ search, answer });
      } else {
        const { id, version } = draw(range.products);
        const product = await timed<{ id: string; version: number }>(`/api/v1/products/${id}`, reads);
        if (product.id !== id || product.version !== version) throw new Error(`asked for ${id}, got ${product.id}`);
      }
    },
    /** Nothing is written meanwhile, so the same request has the same products again; those without words are looked for by hand, too. */
    verify: async (): Promise<void> => {
      for (const { search, answer } of sample) {
        const again = await get<ProductList>(client, pathOf(search));
        if (idsOf(again) !== idsOf(answer)) throw new Error(`${pathOf(search)}: another answer than before`);
        if (search.query === '') checkByHand(range, search, again);
      }
    },
  };
}

const idsOf = ({ products }: ProductList): string => products.map(({ id }) => id).join(' ');
