import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type CatalogWorld, catalogWorld } from './world.ts';

const eur = (minorUnits: bigint) => ({ currency: 'EUR', minorUnits });

describe('answers that are given again', () => {
  let world: CatalogWorld;
  before(async () => {
    world = await catalogWorld();
    await world.create({ name: 'Zorb', category: 'things', price: eur(500n) });
  });
  after(() => world.close());

  test('the same request has the same frozen message, whoever asks', async () => {
    const pages = await Promise.all([world.list({ query: ' zorb ' }), world.list({ query: 'zorb', currency: 'EUR' })]);
    assert.equal(pages[0], pages[1]);
    assert.equal(await world.list({ query: 'zorb', sort: 'relevance', pageSize: 20 }), pages[0]);
    assert.ok(Object.isFrozen(pages[0]?.products[0]?.price));
    const id = pages[0]?.products[0]?.id ?? '';
    assert.equal(await world.get({ id }), await world.get({ id }));
    assert.equal(await world.categories(), await world.categories());
  });

  test('every write of this process shows at once in all answers', async () => {
    const [shown] = (await world.list({ query: 'zorb' })).products;
    const id = shown?.id ?? '';
    const answers = async () => ({
      price: (await world.get({ id })).price?.minorUnits,
      onPage: (await world.list({ query: 'zorb' })).products.map(({ price }) => price?.minorUnits),
      inCategory: (await world.categories()).categories.map(({ productCount }) => productCount),
    });
    assert.deepEqual(await answers(), { price: 500n, onPage: [500n], inCategory: [1] });
    await world.update({ id, price: eur(700n) });
    assert.deepEqual(await answers(), { price: 700n, onPage: [700n], inCategory: [1] });
    await world.remove({ id });
    assert.deepEqual(await answers(), { price: 700n, onPage: [], inCategory: [0] });
    await world.update({ id, status: 1 });
    assert.deepEqual(await answers(), { price: 700n, onPage: [700n], inCategory: [1] });
  });

  test('every statement that changes products is counted for other processes when it is committed', async () => {
    const { db } = world.parts;
    const sum = async () =>
      (await db.at(world.ctx).query<{ sum: string }>('select sum(changes)::text as sum from change')).rows[0]?.sum;
    const start = Number(await sum());
    await db.tx(world.ctx, async (tx) => {
      await tx.query(`update product set status = 'archived', version = version + 1`);
      assert.equal(Number(await sum()), start);
    });
    assert.equal(Number(await sum()), start + 1);
  });

  test('no more pages are remembered than there is room for', async () => {
    const { answers } = world.parts;
    const first = await world.list({ query: 'zorb', pageSize: 1 });
    for (let i = 0; i < 400; i++) await world.list({ minPrice: BigInt(i) });
    assert.notEqual(await world.list({ query: 'zorb', pageSize: 1 }), first);
    assert.equal(answers.pages.expiryOf('none'), 0);
  });
});
