import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isId, seededRandom } from '@souk/kernel';
import { exponential } from './draw.ts';
import { type GeneratedProduct, generateProducts } from './generate-products.ts';
import { WORLD_NAMES } from './world-names.ts';

const generate = (seed: number, count: number, batchSize?: number): GeneratedProduct[] =>
  [
    ...generateProducts({ random: seededRandom(seed), count, ...(batchSize === undefined ? {} : { batchSize }) }),
  ].flat();

const digest = (products: readonly GeneratedProduct[]): string => {
  const hash = createHash('sha256');
  for (const product of products) {
    hash.update(`${JSON.stringify(product, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`);
  }
  return hash.digest('hex');
};

test('the first thousand products of seed 1 are the same on every machine', () => {
  assert.equal(digest(generate(1, 1_000)), '8f03bddc8912489bb3b0d716ee021148f5242c02dcf08544fda99ff5ebf2201f');
});

test('another seed gives other products', () => {
  assert.notEqual(digest(generate(2, 100)), digest(generate(1, 100)));
});

test('the size of batches changes nothing, and a smaller range is the beginning of a larger one', () => {
  assert.deepEqual(generate(3, 250, 7), generate(3, 250, 100));
  assert.deepEqual(generate(3, 50), generate(3, 250).slice(0, 50));
});

test('batches come one at a time', () => {
  const batches = generateProducts({ random: seededRandom(1), count: 100_000_000, batchSize: 10 });
  assert.equal(batches.next().value?.length, 10);
});

test('ids and numbers are unique, and ids sort by the order of products', () => {
  const products = generate(1, 5_000);
  assert.ok(products.every(({ id }) => isId(id, 'prd')));
  assert.equal(new Set(products.map(({ id }) => id)).size, 5_000);
  assert.equal(new Set(products.map(({ sku }) => sku)).size, 5_000);
  assert.deepEqual(
    products.map(({ id }) => id).toSorted(),
    products.map(({ id }) => id),
  );
});

test('products keep the limits of the contract', () => {
  for (const product of generate(4, 3_000)) {
    assert.ok(
      product.name.length <= 200 && product.description.length <= 5_000 && product.sku.length <= 64,
      product.name,
    );
    assert.match(product.category, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.ok(product.description.length > 10);
  }
});

test('a thousand products fill about a hundred categories', () => {
  const categories = new Set(generate(1, 1_000).map(({ category }) => category));
  assert.ok(categories.size > 90 && categories.size < 110, `${categories.size}`);
});

test('prices are in three currencies and end as shops like it', () => {
  for (const { prices, name } of generate(1, 1_000)) {
    assert.deepEqual(
      prices.map(({ currency }) => currency),
      ['EUR', 'USD', 'JPY'],
    );
    const [eur, usd, jpy] = prices.map(({ minorUnits }) => minorUnits) as [bigint, bigint, bigint];
    assert.ok(eur % 50n === 49n && usd % 50n === 49n, name);
    assert.ok(jpy % 100n === 80n || jpy % 1_000n === 800n, `${name} ${jpy}`);
    assert.ok(jpy > eur && jpy < eur * 4n, `${name}: ${eur} cents, ${jpy} yen`);
  }
});

test('about two in a hundred names are written as elsewhere', () => {
  const names = new Set(WORLD_NAMES.map(({ name }) => name));
  const share = generate(1, 10_000).filter(({ name }) => names.has(name)).length / 10_000;
  assert.ok(share > 0.015 && share < 0.025, `${share}`);
});

test('popularity falls off as one over the rank', () => {
  const [first, second, , fourth] = generate(1, 4);
  assert.equal(first?.popularity, (second?.popularity ?? 0) * 2);
  assert.equal(first?.popularity, (fourth?.popularity ?? 0) * 4);
});

test('the own exponential agrees with the library to ten digits', () => {
  for (let x = -4; x <= 4; x += 0.25) assert.ok(Math.abs(exponential(x) / Math.exp(x) - 1) < 1e-10, `${x}`);
});
