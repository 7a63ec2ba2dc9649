import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasReason, isSoukError, seededRandom } from '@souk/kernel';
import { generateProducts } from '../src/domain/generator/generate-products.ts';
import { type CatalogWorld, catalogWorld } from './world.ts';

/** A part of a generated range, without numbers of the shop: those of two ranges may agree. */
const range = (seed: number, count: number) =>
  [...generateProducts({ random: seededRandom(seed), count })]
    .flat()
    .map(({ popularity: _, sku: __, ...product }) => ({ ...product, prices: [...product.prices] }));

const eur = (minorUnits: bigint) => ({ currency: 'EUR', minorUnits });
const usd = (minorUnits: bigint) => ({ currency: 'USD', minorUnits });

const rejectsWith = (promise: Promise<unknown>, reason: string) =>
  assert.rejects(promise, (error) => hasReason(error, reason), reason);

describe('products', () => {
  let world: CatalogWorld;
  before(async () => {
    world = await catalogWorld();
  });
  after(() => world.close());

  const mug = async (name = 'Enamel mug') => {
    const product = await world.create({ name, category: 'camp-mugs', prices: [eur(1_999n), usd(2_199n)] });
    return product.id as string;
  };
  const saidOf = (id: string) =>
    world.said.filter(({ event }) => event.productId === id).map(({ type }) => type.replace('souk.catalog.v1.', ''));

  test('a new product can be read, found and priced at once', async () => {
    const made = await world.create({
      name: 'Crème brûlée torch',
      description: 'For a crust.',
      category: 'burners',
      price: eur(3_499n),
      prices: [{ currency: 'JPY', minorUnits: 5_980n }],
      attributes: { fuel: 'butane' },
      sku: 'TOR-1',
    });
    const id = made.id as string;
    const read = await world.get({ id, currency: 'JPY' });
    assert.deepEqual([read.price?.currency, read.price?.minorUnits], ['JPY', 5_980n]);
    assert.equal(read.version, 1);
    assert.equal(read.categoryName, 'Burners');
    assert.deepEqual(
      (await world.list({ query: 'creme brulee' })).products.map((p) => p.id),
      [id],
    );
    assert.deepEqual(
      (await world.list({ query: 'butane' })).products.map((p) => p.id),
      [id],
    );
    const { items } = await world.price({ productIds: [id] });
    assert.deepEqual(items, [
      { productId: id, name: 'Crème brûlée torch', unitPrice: eur(3_499n), available: true, version: 1 },
    ]);
    assert.deepEqual(saidOf(id), ['ProductCreated']);
  });

  test('a change needs the current version and bumps it', async () => {
    const id = await mug();
    const next = await world.update({ id, price: eur(1_799n), etag: '"1"' });
    assert.equal(next.version, 2);
    assert.deepEqual(next.prices, [eur(1_799n), usd(2_199n)]);
    await assert.rejects(
      world.update({ id, name: 'Other', etag: '"1"' }),
      (error) => hasReason(error, 'CATALOG_VERSION_MISMATCH') && isSoukError(error) && error.httpStatus === 412,
    );
    await rejectsWith(world.update({ id, name: 'Other', etag: 'x' }), 'CATALOG_ETAG_MALFORMED');
    await rejectsWith(world.remove({ id, etag: '"1"' }), 'CATALOG_VERSION_MISMATCH');
    assert.deepEqual(saidOf(id), ['ProductCreated', 'ProductUpdated']);
  });

  test('a repeated change is answered like the first and says nothing more', async () => {
    const id = await mug();
    const first = await world.update({ id, name: 'Steel mug', etag: '"1"' });
    const second = await world.update({ id, name: 'Steel mug', etag: '"1"' });
    assert.deepEqual(second, first);
    assert.deepEqual(saidOf(id), ['ProductCreated', 'ProductUpdated']);
  });

  test('of two changes at once made for the same version one wins', async () => {
    const id = await mug();
    const outcomes = await Promise.allSettled(
      ['Red mug', 'Blue mug', 'Green mug'].map((name) => world.update({ id, name, etag: '1' })),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await world.get({ id })).version, 2);
  });

  test('a renamed and moved product is found under its new name and category only', async () => {
    const id = await mug('Plortal');
    await world.update({ id, name: 'Gambrel', category: 'roofs' });
    assert.equal((await world.list({ query: 'plortal', category: 'camp-mugs' })).products.length, 0);
    const found = await world.list({ query: 'gambrel', category: 'roofs' });
    assert.deepEqual(
      found.products.map((p) => p.id),
      [id],
    );
    assert.equal(found.products[0]?.categoryName, 'Roofs');
  });

  test('an archived product is read but neither found nor sold, and archiving twice is archiving once', async () => {
    const id = await mug('Wuthering');
    assert.equal((await world.list({ query: 'wuthering' })).totalEstimate, 1);
    await world.remove({ id, etag: '1' });
    await world.remove({ id, etag: '1' });
    assert.equal((await world.get({ id })).version, 2);
    assert.equal((await world.list({ query: 'wuthering' })).totalEstimate, 0);
    assert.equal((await world.price({ productIds: [id] })).items[0]?.available, false);
    assert.deepEqual(saidOf(id), ['ProductCreated', 'ProductDeleted']);
  });

  test('prices come in the order asked for, and what is not there is listed', async () => {
    const [a, b] = [await mug(), await mug()];
    const nobody = 'prd_01856aa0-c800-7881-9c32-aedf4a1e56ce';
    const priced = await world.price({ productIds: [b, nobody, a, b], currency: 'USD' });
    assert.deepEqual(
      priced.items.map(({ productId }) => productId),
      [b, a],
    );
    assert.deepEqual(priced.notFound, [nobody]);
    const [inFrancs] = (await world.price({ productIds: [a], currency: 'CHF' })).items;
    assert.equal(inFrancs?.available, false);
    assert.equal(inFrancs && 'unitPrice' in inFrancs, false);
  });

  test('a number of the shop belongs to one product', async () => {
    await world.create({ name: 'One', category: 'x', sku: 'X-1', price: eur(1n) });
    await rejectsWith(world.create({ name: 'Two', category: 'x', sku: 'X-1', price: eur(1n) }), 'CATALOG_SKU_TAKEN');
  });

  test('what a shop must not store is refused', async () => {
    const good = { name: 'Mug', category: 'x', price: eur(1n) };
    await rejectsWith(world.create({ ...good, name: ' ' }), 'CATALOG_NAME_MISSING');
    await rejectsWith(world.create({ ...good, name: 'a\u202eb' }), 'CATALOG_TEXT_REFUSED');
    await rejectsWith(world.create({ ...good, description: 'a\u0000b' }), 'CATALOG_TEXT_REFUSED');
    await rejectsWith(world.create({ name: 'Mug', category: 'x' }), 'CATALOG_PRICE_MISSING');
    await rejectsWith(world.create({ ...good, price: eur(-1n) }), 'CATALOG_PRICE_REFUSED');
    await rejectsWith(world.create({ ...good, prices: [eur(2n)] }), 'CATALOG_PRICE_REPEATED');
    await rejectsWith(world.list({ minPrice: 5n, maxPrice: 4n }), 'CATALOG_PRICE_RANGE_REFUSED');
    await rejectsWith(world.get({ id: 'prd_01856aa0-c800-7881-9c32-aedf4a1e56ce' }), 'CATALOG_PRODUCT_NOT_FOUND');
  });

  test('an import can be repeated, leaves what exists alone, and says nothing on the bus', async () => {
    const products = range(5, 200);
    const said = world.said.length;
    assert.deepEqual(await world.import({ products }), { imported: 200, skipped: 0 });
    const { id = '' } = products[0] ?? {};
    await world.update({ id, name: 'Renamed' });
    assert.deepEqual(await world.import({ products }), { imported: 0, skipped: 200 });
    assert.equal((await world.get({ id })).name, 'Renamed');
    assert.equal(world.said.length, said + 1);
  });

  test('an imported product whose number is taken is left out', async () => {
    const [first, second] = range(8, 2);
    await world.create({ name: 'One', category: 'x', sku: 'Y-1', price: eur(1n) });
    const products = [
      { ...first, sku: 'Y-1' },
      { ...second, sku: 'Y-2' },
    ];
    assert.deepEqual(await world.import({ products }), { imported: 1, skipped: 1 });
  });

  test('two imports of the same range at once add it once', async () => {
    const products = range(6, 300);
    const outcomes = await Promise.all([world.import({ products }), world.import({ products: products.toReversed() })]);
    assert.equal(
      outcomes.reduce((sum, { imported }) => sum + imported, 0),
      300,
    );
  });

  test('categories are listed by name with what is on sale in them, page by page', async () => {
    const all = (await world.categories({ pageSize: 500 })).categories;
    const names = all.map(({ name }) => name);
    assert.deepEqual(names, names.toSorted());
    assert.ok(all.some(({ slug, productCount }) => slug === 'roofs' && productCount === 1));
    const slugs: string[] = [];
    let pageToken = '';
    do {
      const page = await world.categories({ pageSize: 7, pageToken });
      slugs.push(...page.categories.map(({ slug }) => slug));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    assert.deepEqual(
      slugs,
      all.map(({ slug }) => slug),
    );
  });
});
