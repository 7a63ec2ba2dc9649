import { type Buyer, get, type PlacedOrder, signIn } from './buyer.ts';
import type { LoadClient } from './load.ts';

/** Puts the same stock on every product. */
export async function setStock(
  client: LoadClient,
  admin: string,
  productIds: readonly string[],
  onHand: number,
): Promise<void> {
  for (const id of productIds) {
    const answer = await client.send({
      method: 'PUT',
      path: `/api/v1/products/${id}/stock`,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: JSON.stringify({ onHand }),
    });
    if (answer.status !== 200) throw new Error(`stock of ${id}: ${answer.status} ${answer.body}`);
  }
}

interface OrderView {
  readonly id: string;
  readonly status: string;
  readonly paymentStatus: string;
  readonly fulfilmentStatus: string;
  readonly total: { readonly minorUnits: string };
  readonly items: readonly { readonly productId: string; readonly quantity: number }[];
}

const SETTLE_MS = 60_000;

/** Compares what was ordered with stock, money, points and notifications. @returns what does not agree */
export async function auditOrders(
  client: LoadClient,
  adminPassword: string,
  world: { placed: readonly PlacedOrder[]; buyers: readonly Buyer[]; ids: readonly string[]; stock: number },
): Promise<string[]> {
  const admin = await signIn(client, 'admin@souk.local', adminPassword);
  const violations: string[] = [];
  const sold = new Map<string, number>();
  const points = new Map<string, number>();
  const untilMs = performance.now() + SETTLE_MS;
  for (const { id, userId } of world.placed) {
    const view = await settled(client, admin, id, untilMs);
    if (view.status !== 'CONFIRMED' || view.paymentStatus !== 'CAPTURED' || view.fulfilmentStatus !== 'PREPARING') {
      violations.push(`order ${id} is ${view.status}, ${view.paymentStatus}, ${view.fulfilmentStatus}`);
    }
    for (const { productId, quantity } of view.items) sold.set(productId, (sold.get(productId) ?? 0) + quantity);
    points.set(userId, (points.get(userId) ?? 0) + Math.floor(Number(view.total.minorUnits) / 100));
  }
  for (const id of world.ids) {
    const { onHand, reserved } = await get<{ onHand: number; reserved: number }>(
      client,
      `/api/v1/products/${id}/availability`,
    );
    if (world.stock - onHand !== (sold.get(id) ?? 0))
      violations.push(`product ${id}: ${world.stock - onHand} left the shelf, ${sold.get(id) ?? 0} were sold`);
    if (reserved !== 0) violations.push(`product ${id}: ${reserved} are still reserved`);
  }
  for (const { userId } of world.buyers) {
    const { balance } = await get<{ balance: number }>(client, `/api/v1/users/${userId}/points`, admin);
    if (balance !== (points.get(userId) ?? 0))
      violations.push(`user ${userId} has ${balance} points, should have ${points.get(userId) ?? 0}`);
  }
  violations.push(...(await auditNotifications(client, admin, world)));
  return violations;
}

/** The saga goes on after the confirmation that the buyer waits for. */
async function settled(client: LoadClient, admin: string, id: string, untilMs: number): Promise<OrderView> {
  for (;;) {
    const view = await get<OrderView>(client, `/api/v1/orders/${id}`, admin);
    const done = view.paymentStatus === 'CAPTURED' && view.fulfilmentStatus === 'PREPARING';
    if (done || view.status === 'REJECTED' || performance.now() > untilMs) return view;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function auditNotifications(
  client: LoadClient,
  admin: string,
  world: { placed: readonly PlacedOrder[]; buyers: readonly Buyer[] },
): Promise<string[]> {
  const violations: string[] = [];
  for (const { userId } of world.buyers) {
    const expected = world.placed.filter((one) => one.userId === userId).length;
    let told = 0;
    let pageToken = '';
    do {
      const path = `/api/v1/users/${userId}/notifications?page_size=100&page_token=${encodeURIComponent(pageToken)}`;
      const page = await get<{ notifications: { template: string }[]; nextPageToken: string }>(client, path, admin);
      told += page.notifications.filter(({ template }) => template === 'order-confirmed').length;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    if (told !== expected) violations.push(`user ${userId} was told of ${told} orders, placed ${expected}`);
  }
  return violations;
}
