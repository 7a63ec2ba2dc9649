import { createShopClient, type ShopClient } from '../client/shop-client.ts';
import type { Stage } from './stage.ts';

interface Order {
  readonly id: string;
  readonly status: string;
  readonly total: { readonly minorUnits: string };
}

/** Looks at every book of the shop and of the provider, and says what it found. */
export async function audit(stage: Stage, token: string): Promise<void> {
  const { shop, customers } = stage;
  const client = createShopClient(shop.url);
  stage.act('The audit', 'Every book of the shop, and the provider’s own.');
  await stage.until(({ underWay }) => Object.values(underWay).every((count) => count === 0));
  const { underWay } = await stage.figures();
  const left = Object.entries(underWay).filter(([, count]) => count > 0);

  const orders = await all<Order>(client, token, '/api/v1/orders', 'orders');
  const known = new Map(orders.map((order) => [order.id, order]));
  const accepted = customers.accepted.map(({ id }) => known.get(id));
  const lost = accepted.filter((order) => order === undefined).length;
  const open = accepted.filter((order) => order !== undefined && order.status !== 'CONFIRMED');
  stage.verify(
    lost === 0 && open.length === 0,
    `${accepted.length} orders were accepted, and ${accepted.length} are CONFIRMED`,
    `${lost} are lost, ${open.length} are not confirmed`,
  );

  const charges = shop.provider.inspect.charges();
  const captured = charges.reduce((sum, charge) => sum + Number(charge.captured - charge.refunded), 0);
  const owed = orders.reduce((sum, { total }) => sum + Number(total.minorUnits), 0);
  stage.verify(
    charges.length === orders.length && captured === owed,
    `the provider made ${charges.length} charges, one for each order, of ${(captured / 100).toFixed(2)} in all`,
    `${orders.length} orders come to ${(owed / 100).toFixed(2)}`,
  );

  let gone = 0;
  let reserved = 0;
  for (const { id, onHand } of customers.products) {
    const stock = await client.call<{ onHand: number; reserved: number }>('GET', `/api/v1/products/${id}/availability`);
    gone += onHand - stock.onHand;
    reserved += stock.reserved;
  }
  stage.verify(
    gone === orders.length && reserved === 0,
    `${gone} pieces have left the stock, and none is still held`,
    `${orders.length} were sold, ${reserved} are held`,
  );

  let points = 0;
  let letters = 0;
  for (const id of customers.userIds) {
    points += (await all(client, token, `/api/v1/users/${id}/points`, 'entries')).length;
    const told = await all<{ template: string }>(client, token, `/api/v1/users/${id}/notifications`, 'notifications');
    letters += told.filter(({ template }) => template === 'order-confirmed').length;
  }
  stage.verify(
    points === orders.length && letters === orders.length,
    `points were given ${points} times and ${letters} letters written, once for each order`,
    `there are ${orders.length} orders`,
  );
  stage.verify(
    left.length === 0,
    'no saga runs or waits for a person, no event is on its way, no letter is dead',
    left.map(([metric, count]) => `${metric} is ${count}`).join(', '),
  );
}

async function all<T>(client: ShopClient, token: string, path: string, field: string): Promise<T[]> {
  const found: T[] = [];
  for (let page = ''; ; ) {
    const query = `page_size=100&page_token=${encodeURIComponent(page)}`;
    const answer = await client.call<Record<string, unknown>>('GET', `${path}?${query}`, { token });
    found.push(...((answer[field] as T[] | undefined) ?? []));
    page = (answer.nextPageToken as string | undefined) ?? '';
    if (page === '') return found;
  }
}
