import { randomUUID } from 'node:crypto';
import { createShopClient, type ShopClient } from '../client/shop-client.ts';

/** An order that the shop has taken. */
export interface Accepted {
  readonly id: string;
  readonly userId: string;
}

/** Customers who order, one after the other in turn. */
export interface Customers {
  /** Everything that was accepted so far. */
  readonly accepted: readonly Accepted[];
  readonly products: readonly Product[];
  readonly userIds: readonly string[];
  /** @param wait Seconds to wait for the outcome. @returns milliseconds until there was an answer @throws APP_REFUSED */
  order(wait?: number): Promise<number>;
}

export interface Product {
  readonly id: string;
  /** Pieces in stock before the first order. */
  readonly onHand: number;
}

interface Customer {
  readonly id: string;
  readonly token: string;
  readonly paymentMethodId: string;
}

const MANY = 4;
/** Of each product: more than is ever ordered. */
const STOCK = 100_000;
const ADDRESS = { name: 'Demo Customer', line1: '12 St James Square', city: 'London', country: 'GB' };

/** Registers customers and fills the stock. @param adminToken Of somebody who may. */
export async function createCustomers(url: string, adminToken: string): Promise<Customers> {
  const client = createShopClient(url);
  const list = await client.call<{ products: { id: string }[] }>('GET', '/api/v1/products?page_size=5');
  const products = list.products.map(({ id }) => ({ id, onHand: STOCK }));
  for (const { id, onHand } of products)
    await client.call('PUT', `/api/v1/products/${id}/stock`, { token: adminToken, body: { onHand } });
  const customers: Customer[] = [];
  while (customers.length < MANY) customers.push(await register(client));
  const accepted: Accepted[] = [];
  let turn = 0;
  return {
    accepted,
    products,
    userIds: customers.map(({ id }) => id),
    order: async (wait) => {
      const { id: userId, token, paymentMethodId } = customers[turn % customers.length] as Customer;
      const productId = products[turn++ % products.length]?.id;
      const begunMs = performance.now();
      const { id } = await client.call<{ id: string }>('POST', '/api/v1/orders', {
        token,
        headers: { 'idempotency-key': randomUUID(), ...(wait !== undefined && { prefer: `wait=${wait}` }) },
        body: { items: [{ productId, quantity: 1 }], paymentMethodId, shippingAddress: ADDRESS },
      });
      accepted.push({ id, userId });
      return performance.now() - begunMs;
    },
  };
}

export async function signIn(client: ShopClient, email: string, password: string): Promise<string> {
  const body = { email, password };
  return (await client.call<{ accessToken: string }>('POST', '/api/v1/auth/login', { body })).accessToken;
}

async function register(client: ShopClient): Promise<Customer> {
  const [email, password] = [`demo-${randomUUID()}@example.com`, randomUUID()];
  const { id } = await client.call<{ id: string }>('POST', '/api/v1/users', { body: { email, password } });
  const token = await signIn(client, email, password);
  const card = await client.call<{ id: string }>('POST', '/api/v1/payment-methods', {
    token,
    body: { token: 'tok_visa' },
  });
  return { id, token, paymentMethodId: card.id };
}
