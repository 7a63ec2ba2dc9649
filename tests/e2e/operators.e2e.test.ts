import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Buyer, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { startTroubledShop, type TroubledShop } from '../support/troubled-shop.ts';

let shop: TroubledShop;
let client: ShopClient;
let buyer: Buyer;
let productId: string;

before(async () => {
  shop = await startTroubledShop();
  client = shopClient(shop);
  buyer = await client.buyer();
  productId = await client.product(100);
});
after(() => shop?.stop());

const order = async (): Promise<string> =>
  (await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 })).id;

interface Letter {
  readonly id: string;
  readonly key: string;
  readonly status: string;
  readonly actor: string;
  readonly note: string;
}

const letters = async (query = ''): Promise<Letter[]> =>
  client.all(await client.adminToken(), `/api/v1/admin/dead-letters?service=watcher${query}`, 'deadLetters');

const json = (text: string): never => JSON.parse(text) as never;

test('what operators may do is for administrators and the operator only', async () => {
  for (const path of [
    'sagas',
    'saga-counts',
    'dead-letters',
    'dead-letter-groups',
    'consumers',
    'projections',
    'jobs',
  ]) {
    const call = (token?: string) => client.call('GET', `/api/v1/admin/${path}`, { token });
    assert.equal((await call()).status, 401, path);
    assert.equal((await call(buyer.token)).status, 403, path);
    assert.equal((await call(await client.adminToken())).status, 200, path);
  }
  const refused = await client.call('POST', '/api/v1/admin/dead-letters/discard', {
    token: buyer.token,
    body: { selection: { ids: ['watcher-1'] }, reason: 'because I can' },
  });
  assert.equal(refused.status, 403);
});

describe('a dead letter', () => {
  let orderId: string;
  before(async () => {
    shop.setDeaf(true);
    orderId = await order();
    await eventually(async () => assert.equal((await letters()).length, 1));
  });

  test('is listed, grouped by what went wrong, and shown with its event and every attempt', async () => {
    const listed = await shop.souk('dlq', 'list', '--service', 'watcher');
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, new RegExp(`watcher-\\d+ +DEAD .*order-confirmed.* +${orderId} +TROUBLE_REFUSED`));
    const [group] = json((await shop.souk('dlq', 'groups', '--json')).stdout) as { count: number; reason: string }[];
    assert.partialDeepStrictEqual(group, { count: 1, reason: 'TROUBLE_REFUSED', service: 'watcher' });

    const [letter] = await letters();
    const shown = await shop.souk('dlq', 'show', letter?.id as string);
    assert.match(
      shown.stdout,
      new RegExp(`about +${orderId}[\\s\\S]*#1 .*TROUBLE_REFUSED[\\s\\S]*"orderId": "${orderId}"`),
    );
    assert.match(shown.stdout, new RegExp(`npx souk dlq redrive ${letter?.id} --reason`));
  });

  test('that does not exist is not found, and a service that does not is answered with those that do', async () => {
    const token = await client.adminToken();
    assert.equal((await client.call('GET', '/api/v1/admin/dead-letters/watcher-999', { token })).status, 404);
    const answer = await client.call('GET', '/api/v1/admin/dead-letters?service=nobody', { token });
    assert.equal(answer.status, 404);
    assert.match(answer.body.detail, /nobody.*orders.*watcher/);
  });

  test('is not touched without a reason, and a filter not without --yes where nobody can be asked', async () => {
    const [letter] = await letters();
    const silent = await shop.souk('dlq', 'redrive', letter?.id as string);
    assert.deepEqual([silent.code, silent.stdout], [2, '']);
    assert.match(silent.stderr, /--reason must say why/);
    const unasked = await shop.souk('dlq', 'discard', 'all', '--service', 'watcher', '--reason', 'to see');
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /Discard 1 dead letters for good: nobody can be asked here, so --yes is needed/);
    assert.equal((await letters()).length, 1);
  });

  test('is handled when it is redriven, with who did it and why kept', async () => {
    const [letter] = await letters();
    shop.setDeaf(false);
    const { code, stdout, stderr } = await shop.souk(
      ...['dlq', 'redrive', letter?.id as string, '--reason', 'the watcher hears again'],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /✓ 1 dead letters redriven/);
    await eventually(async () => assert.ok(shop.heard.includes(orderId)));
    assert.partialDeepStrictEqual((await letters('&status=REPLAYED'))[0], {
      id: letter?.id,
      actor: 'operator',
      note: 'the watcher hears again',
    });
    const again = await shop.souk('dlq', 'redrive', letter?.id as string, '--reason', 'once more');
    assert.equal(again.code, 1);
  });

  test('is one of many that go with a filter, after a preview, and a filter alone is refused', async () => {
    shop.setDeaf(true);
    const ids = [await order(), await order(), await order()];
    await eventually(async () => assert.equal((await letters()).length, 3));
    const token = await client.adminToken();
    const ask = (body: object) => client.call('POST', '/api/v1/admin/dead-letters/discard', { token, body });
    const selection = { filter: { service: 'watcher', reason: 'TROUBLE_REFUSED' } };
    const without = await ask({ selection, reason: 'to see' });
    assert.deepEqual([without.status >= 400, (await letters()).length], [true, 3], JSON.stringify(without.body));
    const counted = await shop.souk('dlq', 'discard', 'all', '--service', 'watcher', '--reason', 'to see', '--dry-run');
    assert.match(counted.stdout, /3 dead letters match/);

    const all = ['all', '--service', 'watcher', '--error', 'TROUBLE_REFUSED', '--yes', '--rate', '500'];
    shop.setDeaf(false);
    const redriven = await shop.souk('dlq', 'redrive', ...all, '--reason', 'the watcher hears again');
    assert.equal(redriven.code, 0, redriven.stderr);
    assert.match(redriven.stdout, /✓ 3 dead letters redriven/);
    await eventually(async () => assert.ok(ids.every((id) => shop.heard.includes(id))));
  });

  test('is off the list for good when it is discarded', async () => {
    shop.setDeaf(true);
    const id = await order();
    await eventually(async () => assert.equal((await letters()).length, 1));
    const [letter] = await letters();
    const { code, stdout } = await shop.souk('dlq', 'discard', letter?.id as string, '--reason', 'made by a test');
    assert.deepEqual([code, stdout], [0, '✓ 1 dead letters discarded\n']);
    shop.setDeaf(false);
    assert.deepEqual(await letters(), []);
    assert.equal(shop.heard.includes(id), false);
  });
});

test('a consumer that is paused hears nothing, and all of it later', async () => {
  const token = await client.adminToken();
  const say = (verb: string) =>
    client.ok<{ paused: boolean; changedBy: string }>('POST', `/api/v1/admin/consumers/watcher/${verb}`, {
      token,
      body: { reason: 'to see' },
    });
  assert.equal((await say('pause')).paused, true);
  // Another process than the one that was told heeds it within seconds.
  let id = '';
  await eventually(async () => {
    id = await order();
    await sleep(300);
    assert.equal(shop.heard.includes(id), false);
  });
  const { consumers } = await client.ok<{ consumers: { service: string; paused: boolean; types: string[] }[] }>(
    'GET',
    '/api/v1/admin/consumers',
    { token },
  );
  const watcher = consumers.find(({ service }) => service === 'watcher');
  assert.deepEqual(
    [watcher?.paused, watcher?.types],
    [true, ['souk.orders.order-confirmed.v1', 'souk.admin.saga-stuck.v1']],
  );
  assert.equal(shop.heard.includes(id), false);
  assert.equal((await say('resume')).paused, false);
  await eventually(async () => assert.ok(shop.heard.includes(id)));
});

test('figures that are wrong are made anew while the shop goes on, and whoever waits for an order sees it counted', async () => {
  const customer = await client.buyer();
  const figures = (position: string) =>
    client.ok<{ orders: number; confirmed: number }>(
      'GET',
      `/api/v1/users/${customer.id}/stats?consistency=${position}`,
      customer,
    );
  const buy = () => client.placeOrder(customer, [{ productId, quantity: 1 }], { wait: 10 });
  const first = await buy();
  assert.partialDeepStrictEqual(await figures(first.position), { orders: 1, confirmed: 1 });
  const listed = await shop.souk('projection', 'list', '--service', 'orders');
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /^orders user-stats@1 +LIVE +p\S+ +\d+ events/m);

  const [rebuilt, second] = await Promise.all([
    shop.souk('projection', 'rebuild', 'user-stats', '--reason', 'counted wrongly', '--yes'),
    buy(),
  ]);
  assert.equal(rebuilt.code, 0, rebuilt.stderr);
  assert.partialDeepStrictEqual(await figures(second.position), { orders: 2, confirmed: 2 });
  const [after] = json((await shop.souk('projection', 'list', '--json')).stdout) as { state: string; name: string }[];
  assert.partialDeepStrictEqual(after, { name: 'user-stats', state: 'LIVE' });
  const unknown = await client.call('GET', `/api/v1/users/${customer.id}/stats?consistency=yesterday`, customer);
  assert.deepEqual([unknown.status, unknown.body.code], [400, 'EVENTSTORE_POSITION_INVALID']);
});
