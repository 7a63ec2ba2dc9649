import { randomUUID } from 'node:crypto';
import type { LoadClient } from './load.ts';

const JSON_HEADER = { 'content-type': 'application/json' };

/** A customer who is signed in and can pay. */
export interface Buyer {
  readonly userId: string;
  readonly token: string;
  readonly paymentMethodId: string;
}

export interface PlacedOrder {
  readonly id: string;
  readonly userId: string;
  readonly status: string;
}

async function post<T>(
  client: LoadClient,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const answer = await client.send({
    method: 'POST',
    path,
    headers: { ...JSON_HEADER, ...headers },
    body: JSON.stringify(body),
  });
  if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body) as T;
}

export async function newBuyer(client: LoadClient): Promise<Buyer> {
  const email = `${randomUUID()}@example.com`;
  const password = randomUUID();
  const { id: userId } = await post<{ id: string }>(client, '/api/v1/users', { email, password });
  const { accessToken: token } = await post<{ accessToken: string }>(client, '/api/v1/auth/login', { email, password });
  const authorization = { authorization: `Bearer ${token}` };
  const method = await post<{ id: string }>(client, '/api/v1/payment-methods', { token: 'tok_visa' }, authorization);
  return { userId, token, paymentMethodId: method.id };
}

export const signIn = async (client: LoadClient, email: string, password: string): Promise<string> =>
  (await post<{ accessToken: string }>(client, '/api/v1/auth/login', { email, password })).accessToken;

/** Orders and waits until the order is confirmed or rejected. */
export function order(client: LoadClient, buyer: Buyer, productId: string, quantity = 1): Promise<PlacedOrder> {
  const body = {
    items: [{ productId, quantity }],
    paymentMethodId: buyer.paymentMethodId,
    shippingAddress: { name: 'A Buyer', line1: '1 Bench Road', city: 'London', country: 'GB' },
  };
  return post<PlacedOrder>(client, '/api/v1/orders', body, {
    authorization: `Bearer ${buyer.token}`,
    'idempotency-key': randomUUID(),
    prefer: 'wait=10',
  });
}

export async function get<T>(client: LoadClient, path: string, token?: string): Promise<T> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await client.send({ method: 'GET', path, headers });
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body) as T;
}
