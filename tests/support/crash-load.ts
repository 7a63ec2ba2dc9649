// Buyers who do not give up: an order whose answer was lost is sent again under its key.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Buyer, ShopClient } from './shop-client.ts';

/** An order that somebody wants, and what came of asking for it. */
export interface Wish {
  readonly buyer: Buyer;
  readonly productId: string;
  readonly quantity: number;
  readonly key: string;
  /** Set once it was acknowledged. */
  orderId: string | undefined;
}

export function wish(buyer: Buyer, productId: string, quantity = 1): Wish {
  return { buyer, productId, quantity, key: randomUUID(), orderId: undefined };
}

/**
 * Sends a wish once.
 * @returns whether it was acknowledged; false: the shop was gone or not ready, and it is not known what it has done
 * @throws when the shop refuses it, or acknowledges another order than before
 */
export async function send(client: ShopClient, one: Wish): Promise<boolean> {
  const { buyer, productId, quantity, key } = one;
  const answer = await client.tryOrder(buyer, [{ productId, quantity }], { key }).catch(() => undefined);
  if (answer === undefined || [409, 503, 504].includes(answer.status)) return false;
  if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  if (one.orderId !== undefined && one.orderId !== answer.body.id)
    throw new Error(`key ${key} made ${one.orderId} and ${answer.body.id}`);
  one.orderId = answer.body.id;
  return true;
}

/** Sends every wish again, acknowledged or not, until each is acknowledged. */
export async function insist(client: ShopClient, wishes: readonly Wish[], timeoutMs = 30_000): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  let open = [...wishes];
  while (open.length > 0) {
    if (performance.now() > untilMs) throw new Error(`${open.length} orders are not taken`);
    const sent = await Promise.all(open.map((one) => send(client, one)));
    open = open.filter((_, index) => !sent[index]);
    if (open.length > 0) await sleep(100);
  }
}

/** Wishes that become two orders, or none. */
export async function doubled(client: ShopClient, wishes: readonly Wish[]): Promise<string[]> {
  const wanted = Map.groupBy(wishes, ({ buyer }) => buyer);
  const problems = await Promise.all(
    [...wanted].map(async ([buyer, own]) => {
      const orders = await client.all(buyer.token, `/api/v1/users/${buyer.id}/orders`, 'orders');
      return orders.length === own.length ? [] : [`${buyer.id} wished ${own.length} orders and has ${orders.length}`];
    }),
  );
  return problems.flat();
}
