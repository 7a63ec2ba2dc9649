import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { allMetrics } from '../support/all-metrics.ts';
import { type Buyer, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { startTroubledShop, type TroubledShop } from '../support/troubled-shop.ts';

const ARRANGE = 'souk.shipping.v1.ShippingService/ArrangeShipment';
const AUTHORIZE = 'souk.payments.v1.PaymentService/AuthorizePayment';
const VOID = 'souk.payments.v1.PaymentService/VoidPayment';

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
beforeEach(() => shop.refusing.clear());
after(() => shop?.stop());

interface Saga {
  readonly id: string;
  readonly status: string;
  readonly step: string;
  readonly seq: number;
}

interface Details {
  readonly saga: Saga;
  readonly records: readonly { readonly kind: string; readonly actor: string; readonly reason: string }[];
  readonly actions: readonly { readonly action: string; readonly needsForce: boolean }[];
}

const show = async (id: string): Promise<Details> =>
  client.ok('GET', `/api/v1/admin/sagas/${id}`, { token: await client.adminToken() });
const act = async (id: string, body: object) =>
  client.call<{ saga: Saga; done: boolean; detail: string; code: string }>(
    'POST',
    `/api/v1/admin/sagas/${id}/actions`,
    {
      token: await client.adminToken(),
      body,
    },
  );
const becomes = (id: string, status: string): Promise<void> =>
  eventually(async () => assert.equal((await show(id)).saga.status, status), 15_000);

/** An order whose saga cannot arrange shipping. */
async function stuckOrder(): Promise<string> {
  shop.refusing.add(ARRANGE);
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }], { wait: 10 });
  await becomes(id, 'STUCK');
  return id;
}

test('a saga that is stuck is listed, drawn, counted and told', async () => {
  const id = await stuckOrder();
  const listed = await shop.souk('saga', 'list', '--status', 'STUCK', '--error', 'TROUBLE_REFUSED');
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, new RegExp(`STUCK +orders place-order@\\d+ +${id} +arrange-shipping .*TROUBLE_REFUSED`));

  const shown = await shop.souk('saga', 'show', id);
  assert.match(shown.stdout, new RegExp(`^place-order@\\d+ {2}${id} {2}STUCK at arrange-shipping\n`));
  assert.match(
    shown.stdout,
    /✓ confirm-order .*point of no return[\s\S]*✗ arrange-shipping[\s\S]*refused +TROUBLE_REFUSED/,
  );
  assert.match(shown.stdout, /○ notify\n\nWhat can be done\n[\s\S]*npx souk saga retry ord_/);

  await eventually(async () =>
    assert.partialDeepStrictEqual(shop.told.find(({ sagaId }) => sagaId === id) ?? {}, {
      ...{ service: 'orders', step: 'arrange-shipping', reason: 'TROUBLE_REFUSED' },
    }),
  );
  const counts = await client.ok<{ counts: { name: string; status: string; count: number }[] }>(
    'GET',
    '/api/v1/admin/saga-counts?service=orders',
    { token: await client.adminToken() },
  );
  assert.partialDeepStrictEqual(
    counts.counts.filter(({ status }) => status === 'STUCK'),
    [{ name: 'place-order', count: 1 }],
  );
  await eventually(async () => {
    const page = await allMetrics(shop);
    assert.match(page, /souk_sagas_stuck\{[^}]*saga="place-order"[^}]*\} 1\n/);
  }, 15_000);

  // Tried again while nothing is mended, it is stuck once more, and told once more.
  assert.equal((await act(id, { action: 'RETRY', reason: 'to see' })).status, 200);
  await eventually(async () => assert.equal(shop.told.filter(({ sagaId }) => sagaId === id).length, 2), 15_000);

  shop.refusing.clear();
  const retried = await shop.souk('saga', 'retry', id, '--reason', 'the carrier answers again');
  assert.equal(retried.code, 0, retried.stderr);
  await becomes(id, 'COMPLETED');
  assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  const { records } = await show(id);
  assert.deepEqual(
    records.filter(({ kind }) => kind === 'ACTION').map(({ actor, reason }) => [actor.slice(0, 4), reason]),
    [
      ['usr_', 'to see'],
      ['oper', 'the carrier answers again'],
    ],
  );
});

test('behind the point of no return there is no way back, and the step can be taken as done instead', async () => {
  const id = await stuckOrder();
  for (const action of ['COMPENSATE', 'CANCEL']) {
    const refused = await act(id, { action, reason: 'the customer called' });
    assert.ok(refused.status >= 400, action);
    assert.match(refused.body.detail, /point of no return/);
  }
  const { actions } = await show(id);
  assert.equal(actions.find(({ action }) => action === 'COMPENSATE')?.needsForce, true);
  assert.equal(
    actions.some(({ action }) => action === 'CANCEL'),
    false,
  );
  const refused = await shop.souk('saga', 'compensate', id, '--reason', 'the customer called');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /point of no return/);

  const skipped = await shop.souk('saga', 'skip', id, '--output', '{"shipmentId":""}', '--reason', 'sent by hand');
  assert.equal(skipped.code, 0, skipped.stderr);
  await becomes(id, 'COMPLETED');
  assert.match(
    (await shop.souk('saga', 'show', id)).stdout,
    /» arrange-shipping .*skipped\n[\s\S]*skip by operator at .*: sent by hand/,
  );
});

test('an action without a reason, for another state than was seen, or twice with one id, changes nothing', async () => {
  const id = await stuckOrder();
  const { seq } = (await show(id)).saga;
  assert.equal((await act(id, { action: 'RETRY' })).status, 400);
  assert.equal((await act(id, { reason: 'to see' })).status, 400);
  const stale = await act(id, { action: 'RETRY', reason: 'to see', expectedSeq: seq - 1 });
  assert.ok(stale.status >= 400, JSON.stringify(stale.body));
  const dry = await act(id, { action: 'GIVE_UP', reason: 'to see', dryRun: true });
  assert.deepEqual([dry.status, dry.body.done], [200, false], JSON.stringify(dry.body));
  assert.equal((await show(id)).saga.seq, seq);
  assert.equal((await act('ord_nobody', { action: 'RETRY', reason: 'to see' })).status, 404);

  shop.refusing.clear();
  const once = { action: 'RETRY', reason: 'it is mended', actionId: `once-${id}`, expectedSeq: seq };
  assert.equal((await act(id, once)).status, 200);
  await becomes(id, 'COMPLETED');
  assert.equal((await act(id, { ...once, expectedSeq: 0 })).status, 200);
  assert.equal((await show(id)).records.filter(({ kind }) => kind === 'ACTION').length, 1);
});

test('all that match are retried after a preview, and what is given up stays as it is', async () => {
  const [first, second, third] = [await stuckOrder(), await stuckOrder(), await stuckOrder()];
  const given = await shop.souk('saga', 'give-up', third, '--yes', '--reason', 'settled by hand, ticket 4711');
  assert.equal(given.code, 0, given.stderr);
  await becomes(third, 'TERMINATED');
  shop.refusing.clear();
  const all = ['saga', 'retry', 'all', '--status', 'STUCK', '--error', 'TROUBLE_REFUSED', '--reason', 'it is mended'];
  const { code, stdout, stderr } = await shop.souk(...all, '--yes');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /✓ 2 sagas go on/);
  await Promise.all([becomes(first, 'COMPLETED'), becomes(second, 'COMPLETED')]);
  assert.equal((await show(third)).saga.status, 'TERMINATED');
});

test('an undo that fails leaves the saga stuck on the way back, drawn so, and a waived one lets it end', async () => {
  shop.refusing.add(VOID);
  shop.refusing.add('souk.inventory.v1.InventoryService/ReleaseStock');
  shop.refusing.add(AUTHORIZE);
  const { id } = await client.placeOrder(buyer, [{ productId, quantity: 1 }]);
  await becomes(id, 'STUCK');
  const { stdout } = await shop.souk('saga', 'show', id);
  assert.match(stdout, /STUCK at reserve-stock, going back\n/);
  assert.match(stdout, /↶ turned back at .*TROUBLE_REFUSED[\s\S]*✗ ↶ reserve-stock .*not taken back/);
  shop.refusing.clear();
  const waived = await act(id, { action: 'SKIP', reason: 'released by hand' });
  assert.equal(waived.status, 200, JSON.stringify(waived.body));
  await becomes(id, 'COMPENSATED');
  assert.match((await shop.souk('saga', 'show', id)).stdout, /» ↶ reserve-stock .*waived\n[\s\S]*■ taken back/);
});
