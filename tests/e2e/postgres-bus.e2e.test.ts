import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createEmbeddedPostgres, type EmbeddedAddress } from '@souk/adapter-embedded-postgres';
import { toUrl } from '@souk/adapter-postgres';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { fillFolder } from '../support/cluster-cache.ts';
import { connectTo } from '../support/database.ts';
import { type ShopProcess, startShop } from '../support/shop.ts';
import { type Buyer, eventually, type Order, type ShopClient, shopClient } from '../support/shop-client.ts';
import { type Running, repository, scratchFolder, startNode } from '../support/shop-process.ts';

// Two whole shops on one PostgreSQL, with one payment provider, and events over the database.

const runtime = systemRuntime();
const API_KEY = 'postgres-bus-api-key-0123456789';
const WEBHOOK_SECRET = 'postgres-bus-webhook-secret-0123456789';

let admin: EmbeddedAddress;
let stopServer: () => Promise<void>;
let provider: Running;
let shops: ShopProcess[] = [];
let clients: ShopClient[] = [];

before(async () => {
  const folder = scratchFolder();
  await fillFolder(folder, runtime);
  const embedded = createEmbeddedPostgres({ folder, runtime, log: silentLogger, settings: { max_connections: 300 } });
  admin = await embedded.start();
  stopServer = () => embedded.stop();
  provider = startNode([join(repository, 'apps/payment-provider/src/main.ts')], {
    cwd: folder,
    env: {
      PROVIDER_FILE: join(folder, 'payment-provider.sqlite'),
      PROVIDER_API_KEY: API_KEY,
      PROVIDER_WEBHOOK_URL: 'http://127.0.0.1:9/api/v1/webhooks/payments/simulator',
      PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET,
    },
  });
  const env = {
    SOUK_BUS: 'postgres',
    DATABASE_URL: toUrl(admin),
    PROVIDER_EMBEDDED: 'false',
    PAYMENTS_PROVIDER_URL: (await provider.says(/^(http:\S+)$/m))[1] as string,
    PAYMENTS_PROVIDER_API_KEY: API_KEY,
    PAYMENTS_WEBHOOK_SECRETS: WEBHOOK_SECRET,
  };
  // One after the other: the first fills the catalog.
  for (let number = 0; number < 2; number++) shops.push(await startShop({ folder: scratchFolder(), env }));
  clients = shops.map((shop) => shopClient(shop));
});

after(async () => {
  await Promise.all(shops.map((shop) => shop.kill9()));
  provider?.signal('SIGKILL');
  await provider?.exit;
  await stopServer?.();
});

async function bus<TRow extends Record<string, unknown>>(sql: string): Promise<TRow[]> {
  const db = connectTo({ ...admin, database: 'souk_bus' }, runtime);
  try {
    return (await db.at(rootContext({ runtime })).query<TRow>(sql)).rows;
  } finally {
    await db.close();
  }
}

/** Slots that each process has, by group. */
async function shares(): Promise<number[][]> {
  const rows = await bus<{ shares: bigint[] }>(`
    SELECT array_agg(slots ORDER BY slots) AS shares FROM (
      SELECT group_id, count(*) AS slots FROM souk.bus_slot WHERE owner IS NOT NULL GROUP BY group_id, owner) s
    GROUP BY group_id`);
  return rows.map((row) => row.shares.map(Number));
}

async function isTold(client: ShopClient, buyer: Buyer, { id }: Order): Promise<void> {
  await eventually(async () => {
    assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
    const told = (await client.notifications(buyer.token, buyer.id)).filter(({ body }) => body.includes(id));
    assert.deepEqual(
      told.map(({ template }) => template),
      ['order-confirmed'],
    );
  });
}

test('with events over PostgreSQL two shops share every group, and each order is confirmed and told of once', async () => {
  const [first, second] = clients as [ShopClient, ShopClient];
  await eventually(async () => {
    const found = await shares();
    assert.ok(found.length >= 3);
    for (const share of found) assert.deepEqual(share, [16, 16]);
  });
  const productId = await first.product(100);
  const buyers = await Promise.all(Array.from({ length: 6 }, (_, index) => (index % 2 ? first : second).buyer()));
  const orders = await Promise.all(
    buyers.map((buyer, index) =>
      (index % 2 ? second : first).placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 }),
    ),
  );
  for (const [index, order] of orders.entries()) await isTold(first, buyers[index] as Buyer, order);
  await eventually(async () => {
    assert.deepEqual(await bus('SELECT type FROM souk.bus_event'), []);
  });
});

test('when one shop is killed the other has all of its part', async () => {
  const [first, second] = clients as [ShopClient, ShopClient];
  const productId = await first.product(100);
  const buyers = await Promise.all([first.buyer(), first.buyer(), second.buyer(), second.buyer()]);
  const placed = await Promise.all(
    buyers.map(async (buyer) => (await first.tryOrder(buyer, [{ productId, quantity: 1 }])).body),
  );
  await shops[1]?.kill9();
  for (const [index, order] of placed.entries()) await isTold(first, buyers[index] as Buyer, order as Order);
  await eventually(async () => {
    for (const share of await shares()) assert.deepEqual(share, [32]);
  });
  shops = shops.slice(0, 1);
});

test('a shop that stops leaves nothing behind, and one that starts goes on', async () => {
  const [shop] = shops as [ShopProcess];
  assert.deepEqual(await shop.stop(), { code: 0, signal: null });
  assert.deepEqual(await bus('SELECT id FROM souk.bus_process UNION ALL SELECT id FROM souk.bus_member'), []);
  await shop.restart();
  const client = shopClient(shop);
  const [buyer, productId] = [await client.buyer(), await client.product(5)];
  const order = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
  await isTold(client, buyer, order);
});
