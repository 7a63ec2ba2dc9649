// Looks into every corner of a shop after the work is done: whether all that was promised is there, once.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { allMetrics } from './all-metrics.ts';
import {
  isSettled,
  type Money,
  type Notification,
  type Order,
  type Payment,
  type PointsEntry,
  type ShopClient,
} from './shop-client.ts';

export interface AuditOptions {
  /** Orders that were acknowledged with 201. */
  readonly orders: Iterable<string>;
  /** What was in stock of each product before its first order. Products that are not named are not counted. */
  readonly initialStock: ReadonlyMap<string, number>;
  /** Folder of the payment provider's book. @default that of the shop */
  readonly providerFolder?: string;
  /** Longest wait for orders to settle and for events to arrive, in milliseconds. @default 60000 */
  readonly timeoutMs?: number;
  /** Orders whose money could not be given back: they say so, and wait for a person. */
  readonly notRefunded?: ReadonlySet<string>;
  /** Points for every 100 whole units of money. @default 100 */
  readonly pointsPerHundred?: number;
}

interface Charge {
  readonly id: string;
  readonly status: string;
  readonly captured: number;
  readonly refunded: number;
}

interface LedgerEntry {
  readonly transactionId: string;
  readonly amount: Money;
}

/** All that can be seen from outside. */
interface Evidence {
  readonly orders: ReadonlyMap<string, Order>;
  readonly stock: ReadonlyMap<string, { readonly onHand: number; readonly reserved: number }>;
  readonly points: ReadonlyMap<string, { readonly balance: number; readonly entries: readonly PointsEntry[] }>;
  readonly payments: readonly Payment[];
  readonly notifications: readonly Notification[];
  /** Of orders that are cancelled: where the shipment stands. */
  readonly shipments: ReadonlyMap<string, string>;
  readonly charges: readonly Charge[];
  readonly ledger: readonly LedgerEntry[];
}

const SOLD = ['CONFIRMED', 'SHIPPED', 'DELIVERED'];
/** Where the goods of a cancelled order are when its parcel could not be held back. */
const GONE = ['IN_TRANSIT', 'RECEIVED'];
/** What customers are told of an order that came to nothing. */
const ENDS = { CANCELLED: 'order-cancelled', REJECTED: 'order-rejected' };
const RETRY_MS = 250;
/** Users asked about at once. */
const AT_ONCE = 8;

/**
 * What is wrong, a line each; nothing when all is well. Effects that follow an order by events are waited for, so an audit that
 * finds nothing has also seen that nothing more is under way.
 */
export async function audit(shop: ShopClient, options: AuditOptions): Promise<string[]> {
  const untilMs = performance.now() + (options.timeoutMs ?? 60_000);
  for (;;) {
    const violations = await look(shop, options);
    if (violations.length === 0 || performance.now() > untilMs) return violations;
    await sleep(RETRY_MS);
  }
}

async function look(shop: ShopClient, options: AuditOptions): Promise<string[]> {
  try {
    return [...(await underWay(shop)), ...judge(await collect(shop, options), options)];
  } catch (thrown) {
    // A shop that has just had too much to do refuses some for a moment.
    if ((thrown as { status?: number }).status !== 503) throw thrown;
    return [String(thrown)];
  }
}

/** Sagas and events that have not come to their end. */
export async function underWay(shop: ShopClient): Promise<string[]> {
  const body = await allMetrics(shop);
  return [
    'souk_sagas_running',
    'souk_sagas_stuck',
    'souk_outbox_pending',
    'souk_retry_pending',
    'souk_dlq_depth',
  ].flatMap((metric) => {
    const values = [...body.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
    const sum = values.reduce((total, [, value]) => total + Number(value), 0);
    return sum === 0 ? [] : [`${metric} is ${sum}`];
  });
}

async function collect(shop: ShopClient, { initialStock, providerFolder }: AuditOptions): Promise<Evidence> {
  const token = await shop.adminToken();
  const orders = await shop.all<Order>(token, '/api/v1/orders', 'orders');
  const users = [...new Set(orders.map(({ userId }) => userId))];
  const cancelled = orders.filter(({ status }) => status === 'CANCELLED');
  const shipments = await inTurn(cancelled, async ({ id }) => [id, await shipmentOf(shop, token, id)] as const);
  const stock = await inTurn([...initialStock.keys()], async (id) => [id, await shop.availability(id)] as const);
  const points = await inTurn(users, async (id) => [id, await shop.points(token, id)] as const);
  return {
    orders: new Map(orders.map((order) => [order.id, order])),
    stock: new Map(stock),
    points: new Map(points),
    payments: (await inTurn(users, (id) => shop.payments(token, id))).flat(),
    notifications: (await inTurn(users, (id) => shop.notifications(token, id))).flat(),
    shipments: new Map(shipments),
    charges: readCharges(providerFolder ?? shop.folder),
    ledger: await shop.all<LedgerEntry>(token, '/api/v1/ledger', 'entries'),
  };
}

async function shipmentOf(shop: ShopClient, token: string, orderId: string): Promise<string> {
  const { status, body } = await shop.call<{ status: string }>('GET', `/api/v1/orders/${orderId}/shipment`, { token });
  return status === 200 ? body.status : 'none';
}

function judge(evidence: Evidence, options: AuditOptions): string[] {
  return [
    ...judgeOrders(evidence, options),
    ...judgeStock(evidence, options),
    ...judgePayments(evidence, options),
    ...judgeShipments(evidence),
    ...judgePoints(evidence, options),
    ...judgeNotifications(evidence),
    ...judgeLedger(evidence),
  ];
}

function* judgeOrders({ orders }: Evidence, options: AuditOptions): Iterable<string> {
  for (const id of options.orders) if (!orders.has(id)) yield `${id} was accepted and is lost`;
  for (const order of orders.values()) {
    const { id, status, paymentStatus, fulfilmentStatus } = order;
    if (!isSettled(order)) yield `${id} is not settled: ${status}, ${paymentStatus}, ${fulfilmentStatus}`;
  }
}

function* judgeStock({ orders, stock }: Evidence, { initialStock }: AuditOptions): Iterable<string> {
  const sold = new Map<string, number>();
  for (const { status, fulfilmentStatus, items } of orders.values()) {
    if (!SOLD.includes(status) && !(status === 'CANCELLED' && GONE.includes(fulfilmentStatus))) continue;
    for (const { productId, quantity } of items) sold.set(productId, (sold.get(productId) ?? 0) + quantity);
  }
  for (const [id, before] of initialStock) {
    const { onHand, reserved } = stock.get(id) ?? { onHand: Number.NaN, reserved: Number.NaN };
    const expected = before - (sold.get(id) ?? 0);
    if (expected < 0) yield `${id}: ${sold.get(id)} sold of ${before}`;
    if (onHand !== expected) yield `${id}: ${onHand} on hand, want ${expected}`;
    if (reserved !== 0) yield `${id}: ${reserved} still reserved`;
  }
}

function* judgePayments({ orders, payments, charges }: Evidence, options: AuditOptions): Iterable<string> {
  const byOrder = Map.groupBy(
    payments.filter(({ orderId }) => orderId !== ''),
    ({ orderId }) => orderId,
  );
  for (const { id, status, total, paymentStatus } of orders.values()) {
    const own = byOrder.get(id) ?? [];
    const taken = own.filter((payment) => payment.status === 'CAPTURED');
    if (own.length > 1) yield `${id} has ${own.length} payments`;
    if (SOLD.includes(status)) {
      if (taken.length !== 1) yield `${id} is ${status} with ${taken.length} captured payments`;
      for (const { captured } of taken) {
        if (captured?.minorUnits !== total.minorUnits)
          yield `${id}: ${captured?.minorUnits} captured of ${total.minorUnits}`;
      }
    } else {
      for (const payment of own) {
        const waits = options.notRefunded?.has(id) === true;
        const told = waits ? 'REFUND_FAILED' : toldOf(payment);
        if (paymentStatus !== told) yield `${id} says ${paymentStatus} of its payment, which is ${payment.status}`;
        if (waits && payment.status === 'CAPTURED') continue;
        if (!['FAILED', 'VOIDED', 'REFUNDED'].includes(payment.status))
          yield `${id} is ${status} and its payment ${payment.status}`;
      }
    }
  }
  yield* judgeCharges(payments, charges);
}

/** What an order that was not sold says of its payment. */
const toldOf = ({ status, amount }: Payment): string =>
  // Called off before it was begun: nothing has happened to any money.
  status === 'VOIDED' && Number(amount?.minorUnits ?? 0) === 0 ? 'PENDING' : status;

/** Nothing of a cancelled order leaves the house, or else the order says so. */
function* judgeShipments({ orders, shipments }: Evidence): Iterable<string> {
  for (const [id, shipment] of shipments) {
    const { fulfilmentStatus = '' } = orders.get(id) ?? {};
    if (
      GONE.includes(fulfilmentStatus)
        ? ['none', 'CANCELLED', 'LABEL_CREATED'].includes(shipment)
        : shipment !== 'CANCELLED'
    )
      yield `${id} is cancelled and ${fulfilmentStatus}, and its shipment is ${shipment}`;
  }
}

/** The provider's own book against ours. */
function* judgeCharges(payments: readonly Payment[], charges: readonly Charge[]): Iterable<string> {
  const byReference = new Map(payments.map((payment) => [payment.providerReference, payment]));
  const known = new Set<string>();
  for (const { id, status, captured, refunded } of charges) {
    known.add(id);
    const payment = byReference.get(id);
    if (status === 'authorized')
      yield `the provider still holds the money of charge ${id} (${payment?.status ?? 'unknown to us'})`;
    if (status !== 'captured') continue;
    if (payment === undefined) yield `the provider took money with charge ${id}, which we do not know`;
    const ours = Number(payment?.captured?.minorUnits ?? 0);
    const back = Number(payment?.refunded?.minorUnits ?? 0);
    if (payment && (ours !== captured || back !== refunded))
      yield `charge ${id}: the provider took ${captured} and gave ${refunded} back, our books say ${ours} and ${back}`;
  }
  for (const { id, status, providerReference } of payments) {
    if (status === 'CAPTURED' && !known.has(providerReference))
      yield `${id} is captured, and the provider knows nothing of it`;
  }
}

function* judgePoints({ orders, points }: Evidence, { pointsPerHundred = 100 }: AuditOptions): Iterable<string> {
  const expected = new Map<string, number>();
  for (const { userId, status, total } of orders.values()) {
    // 100 whole units of a currency with two decimals.
    const earned = SOLD.includes(status) ? Math.floor((Number(total.minorUnits) * pointsPerHundred) / 10_000) : 0;
    expected.set(userId, (expected.get(userId) ?? 0) + earned);
  }
  for (const [userId, { balance, entries }] of points) {
    const sum = entries.reduce((total, entry) => total + entry.points, 0);
    if (balance !== expected.get(userId)) yield `${userId} has ${balance} points, want ${expected.get(userId)}`;
    if (sum !== balance) yield `${userId}: the entries add up to ${sum}, the balance is ${balance}`;
    for (const [orderId, own] of Map.groupBy(entries, (entry) => entry.orderId)) {
      const times = own.filter(({ reason }) => reason === 'EARNED').length;
      if (times > 1) yield `${orderId} earned points ${times} times`;
      const kept = own.reduce((total, entry) => total + entry.points, 0);
      const status = orders.get(orderId)?.status ?? '';
      if (!SOLD.includes(status) && kept !== 0) yield `${orderId} is ${status} and keeps ${kept} points`;
      const reversed = own.filter(({ reason }) => reason === 'REVERSED').length;
      if (reversed > 1) yield `the points of ${orderId} were taken back ${reversed} times`;
    }
  }
}

function* judgeNotifications({ orders, notifications }: Evidence): Iterable<string> {
  const about = (template: string, id: string) =>
    notifications.filter((one) => one.template === template && one.body.includes(id)).length;
  for (const { id, status } of orders.values()) {
    const told = about('order-confirmed', id);
    const wanted = SOLD.includes(status) ? 1 : 0;
    // An order that was cancelled later may have been confirmed before.
    if (told !== wanted && !(status === 'CANCELLED' && told === 1))
      yield `${id} is ${status}, and was confirmed to the customer ${told} times`;
    for (const [end, template] of Object.entries(ENDS)) {
      const times = about(template, id);
      if (times !== (status === end ? 1 : 0))
        yield `${id} is ${status}, and the customer was told ${template} ${times} times`;
    }
  }
}

function* judgeLedger({ ledger }: Evidence): Iterable<string> {
  for (const [id, entries] of Map.groupBy(ledger, ({ transactionId }) => transactionId)) {
    const sum = entries.reduce((total, { amount }) => total + BigInt(amount.minorUnits), 0n);
    if (sum !== 0n) yield `ledger transaction ${id} is off by ${sum}`;
  }
}

function readCharges(folder: string): Charge[] {
  using book = new DatabaseSync(join(folder, 'payment-provider.sqlite'), { readOnly: true });
  return book.prepare('select id, status, captured, refunded from charge').all() as unknown as Charge[];
}

async function inTurn<T, R>(all: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE) {
    answers.push(...(await Promise.all(all.slice(start, start + AT_ONCE).map(ask))));
  }
  return answers;
}
