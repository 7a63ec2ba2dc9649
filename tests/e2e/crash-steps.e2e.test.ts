import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { audit } from '../support/audit.ts';
import { doubled, insist, send, type Wish, wish } from '../support/crash-load.ts';
import { type CrashPoint, describePoint } from '../support/crash-point.ts';
import { topology } from '../support/shop.ts';
import { type Buyer, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { type CrashingShop, startCrashingShop } from '../support/start-crashing-shop.ts';

const STOCK = 1000;
/** What a crash left of a payment is looked into sooner than in production, yet later than any call takes. */
const SETTINGS = ['--payments.resume-after=4s', '--payments.abandon-after=5s'];
/** Orders under way when the process dies. */
const AT_ONCE = 4;

const AUTHORIZE = 'souk.payments.v1.PaymentService/AuthorizePayment';
const PARTICIPANTS = [
  'souk.users.v1.UserService/CheckUser',
  'souk.inventory.v1.InventoryService/ReserveStock',
  AUTHORIZE,
  'souk.payments.v1.PaymentService/CapturePayment',
  'souk.inventory.v1.InventoryService/CommitReservation',
  'souk.shipping.v1.ShippingService/ArrangeShipment',
  'souk.loyalty.v1.LoyaltyService/AwardPoints',
  'souk.notifications.v1.NotificationService/Notify',
];
const RELEASE = 'souk.inventory.v1.InventoryService/ReleaseStock';
const VOID = 'souk.payments.v1.PaymentService/VoidPayment';
/** `souk.payments.v1.PaymentService/VoidPayment` is served by `payments`. */
const serverOf = (method: string): string => /^souk\.(\w+)\./.exec(method)?.[1] ?? '';
const STEPS = [...PARTICIPANTS, RELEASE, VOID];
const callers = {
  'souk.orders.v1.OrderService/PlaceOrder': 'edge',
  ...Object.fromEntries(STEPS.map((step) => [step, 'orders'])),
};
/**
 * In one process whoever calls dies with whom it calls. In a split shop one of them goes on: the caller, who gets no answer, or the one that was
 * called, whose answer nobody hears.
 */
const points = Object.entries(callers).flatMap(([what, caller]): CrashPoint[] => {
  const served = { what, at: serverOf(what), ...(what === VOID && { hold: AUTHORIZE }) };
  const alone: CrashPoint = { ...served, when: 'after', caller };
  return [{ ...served, when: 'before' }, { ...served, when: 'after' }, ...(topology === 'split' ? [alone] : [])];
});

/** What it takes to get to a point, and how such orders end. */
const CARDS = { paying: 'tok_visa', declined: 'tok_declined', cancelling: 'tok_visa' };
const ENDS = {
  paying: 'CONFIRMED',
  declined: 'REJECTED CARD_DECLINED',
  cancelling: 'CANCELLED CANCELLED_BY_CUSTOMER',
};
type Kind = keyof typeof CARDS;
const kindOf = ({ what }: CrashPoint): Kind =>
  what === RELEASE ? 'declined' : what === VOID ? 'cancelling' : 'paying';

let crashing: CrashingShop;
let client: ShopClient;
const buyers: Record<Kind, Buyer[]> = { paying: [], declined: [], cancelling: [] };
const initialStock = new Map<string, number>();
const wishes: Record<Kind, Wish[]> = { paying: [], declined: [], cancelling: [] };

before(async () => {
  crashing = await startCrashingShop({ args: SETTINGS });
  client = shopClient(crashing.shop);
  for (const [kind, card] of Object.entries(CARDS))
    buyers[kind as Kind] = await Promise.all(Array.from({ length: AT_ONCE }, () => client.buyer(card)));
  initialStock.set(await client.product(STOCK), STOCK);
});
after(() => crashing?.shop.kill9());

// Each round leaves the shop running for the next crash, which has to live with what the last ones left.
for (const point of points) {
  test(`kill -9 ${describePoint(point)}, and go on`, async () => {
    const kind = kindOf(point);
    const [productId] = initialStock.keys();
    const round = buyers[kind].map((buyer) => wish(buyer, productId as string));
    wishes[kind].push(...round);
    const { death, revive } = await crashing.arm(point);
    const sent = round.map((one) => send(client, one));
    if (kind === 'cancelling')
      await Promise.all(round.map((one, i) => sent[i]?.then(() => cancelHeld(one, death).catch(() => {}))));
    await Promise.all([death, ...sent]);
    await revive();
    await insist(client, round);
    if (kind === 'cancelling') await Promise.all(round.map(cancel));
  });
}

/** As a customer who changes their mind: the saga finds out at its pivot, and gives back what it holds. */
async function cancel({ buyer, orderId }: Wish): Promise<void> {
  await client.ok('POST', `/api/v1/orders/${orderId}/cancel`, { token: buyer.token, body: {} });
}

/** Cancels while the money is held and the saga has not heard of it yet. Over once a process is gone, which another one's cancellation may have seen to. */
async function cancelHeld(one: Wish, death: Promise<unknown>): Promise<void> {
  const { token, id } = one.buyer;
  let isGone = false;
  const note = () => {
    isGone = true;
  };
  void death.then(note, note);
  await eventually(async () => {
    if (isGone) return;
    const payment = (await client.payments(token, id)).find(({ orderId }) => orderId === one.orderId);
    assert.equal(payment?.status, 'AUTHORIZED');
  });
  if (!isGone) await cancel(one);
}

test('after all crashes every order has ended as it should, and every book agrees with every other', async () => {
  for (const kind of ['paying', 'declined', 'cancelling'] as const) {
    const ends = await Promise.all(
      wishes[kind].map(({ buyer, orderId }) => client.settled(buyer.token, orderId as string, 60_000)),
    );
    const seen = new Set(ends.map(({ status, reason }) => `${status} ${reason}`.trim()));
    assert.deepEqual([...seen], [ENDS[kind]]);
  }
  const all = Object.values(wishes).flat();
  const orders = all.map(({ orderId }) => orderId as string);
  assert.deepEqual(await audit(client, { orders, initialStock, timeoutMs: 20_000 }), []);
  assert.deepEqual(await doubled(client, all), []);
});
