import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { audit } from '../support/audit.ts';
import { insist, send, wish } from '../support/crash-load.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { shopClient } from '../support/shop-client.ts';
import { postmasterOf } from '../support/shop-process.ts';

let shop: ShopProcess | undefined;
after(() => shop?.kill9());

test('a shop that is told to stop in the middle of twenty orders stops cleanly, and each ends after its return', async () => {
  shop = await startShop();
  const client = shopClient(shop);
  const productId = await client.product(100);
  const buyers = await Promise.all(Array.from({ length: 20 }, () => client.buyer('tok_slow')));
  const wishes = buyers.map((buyer) => wish(buyer, productId));
  const sent = wishes.map((one) => send(client, one));
  await Promise.any(sent);
  const begun = performance.now();
  const exit = await shop.stop();
  const tookMs = performance.now() - begun;
  assert.deepEqual(exit, { code: 0, signal: null }, shop.output());
  assert.ok(tookMs < 15_000, `${tookMs} ms`);
  assert.equal(postmasterOf(shop.folder), undefined);
  await Promise.all(sent);
  const accepted = wishes.flatMap(({ orderId }) => orderId ?? []);
  assert.ok(accepted.length > 0);
  const faults = shop
    .output()
    .split('\n')
    .filter((line) => line.includes('"level":50'));
  assert.deepEqual(faults, []);

  await shop.restart();
  await insist(client, wishes);
  const orders = wishes.map(({ orderId }) => orderId as string);
  assert.deepEqual(await audit(client, { orders, initialStock: new Map([[productId, 100]]) }), []);
  for (const { buyer, orderId } of wishes)
    assert.equal((await client.getOrder(buyer.token, orderId as string)).status, 'CONFIRMED');
});
