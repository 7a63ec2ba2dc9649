import type { Context } from '@souk/kernel';
import type { Policy } from '@souk/resilience';
import { paymentErrors } from '../errors.ts';
import type { PaymentProvider, ProviderCharge } from '../provider.ts';
import { readCharge, readRefund } from './charge-json.ts';
import { guardExchange } from './guarded-exchange.ts';
import { createHttpExchange, type HttpExchangeOptions, type HttpReply } from './http-exchange.ts';

export interface HttpProviderOptions extends HttpExchangeOptions {
  readonly name: string;
  /** By `providerPolicy`. Without it every request is sent. */
  readonly policy?: Policy | undefined;
}

/** The provider behind its HTTP API. */
export function createHttpProvider(options: HttpProviderOptions): PaymentProvider {
  const exchange = createHttpExchange(options);
  const http = options.policy === undefined ? exchange : guardExchange(exchange, options.policy);
  const post = async (ctx: Context, path: string, key: string | undefined, body: unknown): Promise<unknown> => {
    const reply = await http.send(ctx, 'POST', path, key, body);
    if (reply.status === 200 || reply.status === 201) return reply.body;
    throw refused(reply);
  };
  const get = async (ctx: Context, path: string): Promise<unknown> => {
    const reply = await http.send(ctx, 'GET', path);
    if (reply.status === 200) return reply.body;
    if (reply.status === 404) return undefined;
    throw refused(reply);
  };
  const at = (chargeId: string) => `/v1/charges/${encodeURIComponent(chargeId)}`;

  return {
    name: options.name,
    createPaymentMethod: async (ctx, token) => {
      const reply = await http.send(ctx, 'POST', '/v1/payment-methods', undefined, { token });
      if (reply.status === 400 || reply.status === 422) throw paymentErrors.TOKEN_REFUSED();
      if (reply.status !== 201) throw refused(reply);
      const { id, brand, last4 } = reply.body as Record<string, unknown>;
      if (typeof id !== 'string' || typeof brand !== 'string' || typeof last4 !== 'string') throw misread();
      return { reference: id, brand, last4 };
    },
    authorize: async (ctx, { key, amount, currency, paymentMethod, reference }) =>
      charge(await post(ctx, '/v1/charges', key, { amount: Number(amount), currency, paymentMethod, reference })),
    capture: async (ctx, id, { key, amount }) =>
      charge(await post(ctx, `${at(id)}/capture`, key, { amount: Number(amount) })),
    void: async (ctx, id, { key }) => charge(await post(ctx, `${at(id)}/void`, key, {})),
    refund: async (ctx, id, { key, amount }) => {
      const reply = (await post(ctx, `${at(id)}/refunds`, key, { amount: Number(amount) })) as { refund?: unknown };
      const refund = readRefund(reply.refund);
      if (refund === undefined) throw misread();
      return refund;
    },
    findCharge: async (ctx, key) => {
      const found = await get(ctx, `/v1/charges?idempotencyKey=${encodeURIComponent(key)}`);
      return found === undefined ? undefined : charge(found);
    },
    getCharge: async (ctx, id) => {
      const found = await get(ctx, at(id));
      return found === undefined ? undefined : charge(found);
    },
    changes: async (ctx, { afterSequence, sinceMs }) => {
      const page = (await get(ctx, `/v1/ledger?after=${afterSequence}&since=${sinceMs}`)) as
        | { entries?: { sequence: number; charge: unknown }[]; more?: boolean }
        | undefined;
      if (!Array.isArray(page?.entries)) throw misread();
      return {
        charges: page.entries.map((entry) => charge(entry.charge)),
        lastSequence: page.entries.at(-1)?.sequence ?? afterSequence,
        more: page.more === true,
      };
    },
    close: http.close,
  };
}

function charge(value: unknown): ProviderCharge {
  const read = readCharge(value);
  if (read === undefined) throw misread();
  return read;
}

const misread = () => paymentErrors.PROVIDER_MISCONFIGURED({ why: 'its reply is not understood' });

/** A reply that is not a success, as an error. The provider's words are not passed on: only its code. */
function refused({ status, body }: HttpReply) {
  const code = (body as { error?: { code?: unknown } } | null)?.error?.code;
  const why = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : `status ${status}`;
  if (status === 429 || status === 503) return paymentErrors.PROVIDER_UNAVAILABLE();
  if (status >= 500) return paymentErrors.PROVIDER_TIMED_OUT();
  if (status === 404 || status === 409) return paymentErrors.PROVIDER_REFUSED({ why });
  return paymentErrors.PROVIDER_MISCONFIGURED({ why });
}
