import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { currencyExponent } from '@souk/schema';
import { type Command, type Given, wholeNumber } from '../cli/command.ts';
import { type Terminal, terminal } from '../cli/terminal.ts';
import { createShopClient, type ShopClient } from '../client/shop-client.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { shopUrlOf } from '../topology/find-control.ts';

interface Product {
  readonly id: string;
  readonly name: string;
  readonly price: { readonly currency: string; readonly minorUnits: string };
}

interface Transition {
  readonly version: number;
  readonly event: string;
  readonly to: string;
  readonly reason: string;
  readonly at: string;
}

interface Order {
  readonly id: string;
  readonly status: string;
  readonly reason: string;
  readonly paymentStatus: string;
  readonly fulfilmentStatus: string;
  readonly createdAt: string;
}

const POLL_MS = 100;
/** Longest wait for the end of the saga: a payment that never answers takes a while to be looked into. */
const PATIENCE_MS = 60_000;

export const orderCommand: Command = {
  name: 'order',
  summary: 'Place a demonstration order and show each step as it happens',
  usage: '[--token <token>] [--quantity <n>] [--url <url>]',
  help: [
    [
      '--token <token>',
      'How to pay: tok_visa (default), tok_declined, tok_insufficient_funds, tok_timeout, tok_flaky, tok_slow.',
    ],
    ['--quantity <n>', 'How many pieces. Default: 1.'],
    ['--url <url>', 'Where the shop is. Default: this machine, at the port of the settings.'],
  ],
  options: { token: { type: 'string' }, quantity: { type: 'string' }, url: { type: 'string' } },
  takesSettings: true,
  run: async (given) => {
    const { values, env, folder } = await loadShopSettings(given.settings);
    const out = terminal(env);
    const client = createShopClient(shopUrlOf(given.options.url, folder, values.http.port));
    const order = await place(client, out, given);
    return follow(client, out, order);
  },
};

interface Placed {
  readonly order: Order;
  readonly userId: string;
  readonly token: string;
}

async function place(client: ShopClient, out: Terminal, given: Given): Promise<Placed> {
  const quantity = wholeNumber(given, 'quantity', 'order') ?? 1;
  const email = `demo-${randomUUID().slice(0, 8)}@example.com`;
  const password = randomUUID();
  const { id: userId } = await client.call<{ id: string }>('POST', '/api/v1/users', {
    body: { email, password, profile: { firstName: 'Demo', lastName: 'Customer' } },
  });
  const { accessToken: token } = await client.call<{ accessToken: string }>('POST', '/api/v1/auth/login', {
    body: { email, password },
  });
  out.say(`${out.green('✓')} registered and signed in as ${email}`);

  const product = await pickProduct(client, quantity);
  out.say(`${out.green('✓')} picked ${out.bold(product.name)} for ${priceText(product)}`);

  const { id: paymentMethodId } = await client.call<{ id: string }>('POST', '/api/v1/payment-methods', {
    token,
    body: { token: String(given.options.token ?? 'tok_visa') },
  });
  const order = await client.call<Order>('POST', '/api/v1/orders', {
    token,
    headers: { 'idempotency-key': randomUUID() },
    body: {
      items: [{ productId: product.id, quantity }],
      paymentMethodId,
      shippingAddress: {
        name: 'Demo Customer',
        line1: '12 St James Square',
        city: 'London',
        postalCode: 'SW1Y 4JH',
        country: 'GB',
      },
    },
  });
  out.say(`${out.green('✓')} placed order ${out.bold(order.id)}`);
  return { order, userId, token };
}

function priceText({ price }: Product): string {
  const exponent = currencyExponent(price.currency);
  return `${price.currency} ${(Number(price.minorUnits) / 10 ** exponent).toFixed(exponent)}`;
}

async function pickProduct(client: ShopClient, quantity: number): Promise<Product> {
  const { products } = await client.call<{ products: Product[] }>('GET', '/api/v1/products?page_size=20');
  for (const product of products) {
    const { available } = await client.call<{ available: number }>(
      'GET',
      `/api/v1/products/${product.id}/availability`,
    );
    if (available >= quantity) return product;
  }
  throw appErrors.REFUSED({
    what: 'the order',
    why: 'no product on the first page has enough stock: run "souk seed" or "npm start"',
  });
}

/** Prints what happens to the order until nothing more is to come. @returns the exit code */
async function follow(client: ShopClient, out: Terminal, { order, userId, token }: Placed): Promise<number> {
  const startedAt = Date.parse(order.createdAt);
  const untilMs = performance.now() + PATIENCE_MS;
  let seen = 0;
  for (;;) {
    const { transitions } = await client.call<{ transitions: Transition[] }>(
      'GET',
      `/api/v1/orders/${order.id}/history`,
      { token },
    );
    for (const transition of transitions.slice(seen)) {
      const ms = Date.parse(transition.at) - startedAt;
      out.say(
        `  ${out.dim(`+${String(ms).padStart(5)} ms`)}  ${transition.event} ${out.dim(transition.reason || transition.to)}`,
      );
    }
    seen = transitions.length;
    const now = await client.call<Order>('GET', `/api/v1/orders/${order.id}`, { token });
    if (isSettled(now)) return conclude(client, out, now, userId, token);
    if (performance.now() > untilMs) {
      out.say(
        `The order is still ${now.status}: the shop goes on with it. Look again with GET /api/v1/orders/${order.id}`,
      );
      return 1;
    }
    await sleep(POLL_MS);
  }
}

const isSettled = ({ status, paymentStatus, fulfilmentStatus }: Order): boolean =>
  status === 'REJECTED' ||
  (status === 'CONFIRMED' && paymentStatus === 'CAPTURED' && fulfilmentStatus === 'PREPARING') ||
  ['SHIPPED', 'DELIVERED', 'CANCELLED'].includes(status);

async function conclude(
  client: ShopClient,
  out: Terminal,
  order: Order,
  userId: string,
  token: string,
): Promise<number> {
  if (order.status === 'REJECTED') {
    out.say(`${out.red('✗')} rejected: ${out.bold(order.reason)}. Stock was given back and nothing was charged.`);
    return 0;
  }
  await sleep(POLL_MS);
  const { balance } = await client.call<{ balance: number }>('GET', `/api/v1/users/${userId}/points`, { token });
  out.say(
    `${out.green('✓')} ${out.bold(order.status)}: paid, stock taken, a parcel arranged, ${balance} points earned`,
  );
  out.say(out.dim(`  what the customer was told: ${client.url}/dev/mailbox`));
  return 0;
}
