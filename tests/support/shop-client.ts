// What a customer and an administrator do, in the words of a test.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, createHttp, type Http, type Problem } from './http.ts';

export interface Money {
  readonly currency: string;
  readonly minorUnits: string;
}

export interface Order {
  readonly id: string;
  readonly userId: string;
  readonly status: 'PLACED' | 'CONFIRMED' | 'REJECTED' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED';
  readonly reason: string;
  readonly items: readonly { readonly productId: string; readonly quantity: number; readonly lineTotal: Money }[];
  readonly total: Money;
  readonly paymentStatus: string;
  readonly fulfilmentStatus: string;
  readonly paymentId: string;
  readonly version: number;
  readonly position: string;
}

export interface Availability {
  readonly onHand: number;
  readonly reserved: number;
  readonly available: number;
}

export interface Payment {
  readonly id: string;
  readonly orderId: string;
  readonly status: string;
  readonly amount: Money;
  readonly captured?: Money;
  readonly refunded?: Money;
  readonly failureCode: string;
  readonly providerReference: string;
}

export interface PointsEntry {
  readonly orderId: string;
  readonly points: number;
  readonly reason: string;
}

export interface Notification {
  readonly id: string;
  readonly template: string;
  readonly body: string;
}

export interface Item {
  readonly productId: string;
  readonly quantity: number;
}

/** A customer who can order. */
export interface Buyer {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly paymentMethodId: string;
}

export interface PlaceOptions {
  readonly key?: string;
  /** Seconds to wait for the outcome. */
  readonly wait?: number;
  readonly paymentMethodId?: string;
}

export interface ShopClient extends Http {
  readonly folder: string;
  /** Sign-in of the administrator, kept for a while. */
  adminToken(): Promise<string>;
  register(user?: Record<string, unknown>): Promise<{ id: string; email: string; password: string }>;
  login(email: string, password: string): Promise<string>;
  addCard(token: string, card?: string): Promise<string>;
  /** Registers, signs in and adds a card. */
  buyer(card?: string): Promise<Buyer>;
  /** A new product with so much of it in stock. @param price In cents. */
  product(stock: number, price?: number): Promise<string>;
  setStock(productId: string, onHand: number): Promise<void>;
  availability(productId: string): Promise<Availability>;
  tryOrder(
    buyer: Buyer,
    items: readonly Item[],
    options?: PlaceOptions,
  ): Promise<Answer<Order & Omit<Problem, 'status'>>>;
  /** @throws HttpRefused unless it is accepted */
  placeOrder(buyer: Buyer, items: readonly Item[], options?: PlaceOptions): Promise<Order>;
  getOrder(token: string, id: string): Promise<Order>;
  /** Waits until an order is over and done with: rejected, cancelled, or confirmed, paid and packed. */
  settled(token: string, id: string, timeoutMs?: number): Promise<Order>;
  points(token: string, userId: string): Promise<{ balance: number; entries: PointsEntry[] }>;
  payments(token: string, userId: string): Promise<Payment[]>;
  notifications(token: string, userId: string): Promise<Notification[]>;
  /** All pages of a list. */
  all<T>(token: string, path: string, field: string): Promise<T[]>;
}

export const ADDRESS = {
  name: 'Ada Lovelace',
  line1: '12 St James Square',
  city: 'London',
  postalCode: 'SW1Y 4JH',
  country: 'GB',
};
/** An access token lives for fifteen minutes; in milliseconds. */
const KEEP_TOKEN_MS = 10 * 60_000;
const POLL_MS = 40;

export function shopClient(shop: {
  readonly url: string;
  readonly folder: string;
  readonly adminPassword: string;
}): ShopClient {
  const http = createHttp(shop);
  let admin: { token: Promise<string>; atMs: number } | undefined;

  const login = async (email: string, password: string): Promise<string> => {
    const { accessToken } = await http.ok<{ accessToken: string }>('POST', '/api/v1/auth/login', {
      body: { email, password },
    });
    return accessToken;
  };
  const adminToken = (): Promise<string> => {
    if (admin === undefined || performance.now() - admin.atMs > KEEP_TOKEN_MS) {
      admin = { token: login('admin@souk.local', shop.adminPassword), atMs: performance.now() };
      admin.token.catch(() => {
        admin = undefined;
      });
    }
    return admin.token;
  };
  const register: ShopClient['register'] = async (user = {}) => {
    const email = `u-${randomUUID()}@example.com`;
    const password = 'correct horse battery staple';
    const body = { email, password, profile: { firstName: 'Ada', lastName: 'Lovelace' }, ...user };
    const { id } = await http.ok<{ id: string }>('POST', '/api/v1/users', { body });
    return { id, email: body.email, password: body.password };
  };
  const addCard = async (token: string, card = 'tok_visa'): Promise<string> => {
    const options = { token, body: { token: card } };
    return (await http.ok<{ id: string }>('POST', '/api/v1/payment-methods', options)).id;
  };
  const setStock = async (productId: string, onHand: number): Promise<void> => {
    const options = { token: await adminToken(), body: { onHand } };
    await http.ok('PUT', `/api/v1/products/${productId}/stock`, options);
  };
  const getOrder = (token: string, id: string) => http.ok<Order>('GET', `/api/v1/orders/${id}`, { token });
  const order = (buyer: Buyer, items: readonly Item[], { key, wait, paymentMethodId }: PlaceOptions) => ({
    token: buyer.token,
    key: key ?? randomUUID(),
    headers: wait === undefined ? {} : { prefer: `wait=${wait}` },
    body: { items, paymentMethodId: paymentMethodId ?? buyer.paymentMethodId, shippingAddress: ADDRESS },
  });
  const all = async <T>(token: string, path: string, field: string): Promise<T[]> => {
    const found: T[] = [];
    for (let page = ''; ; ) {
      const query = `${path.includes('?') ? '&' : '?'}page_size=100&page_token=${encodeURIComponent(page)}`;
      const answer = await http.ok<Record<string, unknown>>('GET', `${path}${query}`, { token });
      found.push(...((answer[field] ?? []) as T[]));
      page = (answer.nextPageToken as string | undefined) ?? '';
      if (page === '') return found;
    }
  };

  return {
    ...http,
    get url() {
      return shop.url;
    },
    folder: shop.folder,
    adminToken,
    register,
    login,
    addCard,
    buyer: async (card) => {
      const user = await register();
      const token = await login(user.email, user.password);
      return { ...user, token, paymentMethodId: await addCard(token, card) };
    },
    product: async (stock, price = 1999) => {
      const body = {
        name: `Product ${randomUUID()}`,
        category: 'tests',
        price: { currency: 'EUR', minorUnits: String(price) },
      };
      const { id } = await http.ok<{ id: string }>('POST', '/api/v1/products', { token: await adminToken(), body });
      await setStock(id, stock);
      return id;
    },
    setStock,
    availability: (productId) => http.ok('GET', `/api/v1/products/${productId}/availability`),
    tryOrder: (buyer, items, options = {}) => http.call('POST', '/api/v1/orders', order(buyer, items, options)),
    placeOrder: (buyer, items, options = {}) => http.ok('POST', '/api/v1/orders', order(buyer, items, options)),
    getOrder,
    settled: async (token, id, timeoutMs = 30_000) => {
      const untilMs = performance.now() + timeoutMs;
      for (;;) {
        const now = await getOrder(token, id);
        if (isSettled(now)) return now;
        if (performance.now() > untilMs) throw new Error(`order ${id} is not settled: ${JSON.stringify(now)}`);
        await sleep(POLL_MS);
      }
    },
    points: async (token, userId) => {
      const { balance } = await http.ok<{ balance: number }>('GET', `/api/v1/users/${userId}/points`, { token });
      return { balance, entries: await all(token, `/api/v1/users/${userId}/points`, 'entries') };
    },
    payments: (token, userId) => all(token, `/api/v1/users/${userId}/payments`, 'payments'),
    notifications: (token, userId) => all(token, `/api/v1/users/${userId}/notifications`, 'notifications'),
    all,
  };
}

export const isSettled = ({ status, paymentStatus, fulfilmentStatus }: Order): boolean =>
  status === 'CONFIRMED' ? paymentStatus === 'CAPTURED' && fulfilmentStatus === 'PREPARING' : status !== 'PLACED';

/** Asks again until nothing is thrown. @throws what was thrown last, when the time is over */
export async function eventually(check: () => Promise<void>, timeoutMs = 10_000): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
    await sleep(POLL_MS);
  }
}
