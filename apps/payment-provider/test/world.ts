import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadSettings } from '@souk/config';
import { systemRuntime } from '@souk/kernel';
import {
  type Charge,
  createPaymentProvider,
  type LedgerEntry,
  type PaymentProvider,
  providerSettings,
  type WebhookEvent,
} from '../src/index.ts';

export const API_KEY = 'key-for-tests';
export const WEBHOOK_SECRET = 'secret-for-tests';

/** What the tests read of a reply, whatever its kind. */
export type Answer = Charge & {
  readonly brand: string;
  readonly last4: string;
  readonly entries: readonly LedgerEntry[];
};

export interface World {
  readonly provider: PaymentProvider;
  readonly url: string;
  call(method: string, path: string, body?: unknown, key?: string): Promise<{ status: number; body: Answer }>;
}

export async function startWorld(overrides: Record<string, string> = {}): Promise<World> {
  const env = { PROVIDER_API_KEY: API_KEY, PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET, ...overrides };
  const { values } = loadSettings({ sections: { provider: providerSettings }, env });
  const provider = createPaymentProvider({ runtime: systemRuntime(), settings: values.provider });
  const { url } = await provider.start();
  return { provider, url, call: caller(url) };
}

export const caller =
  (url: string): World['call'] =>
  async (method, path, body, key) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${API_KEY}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer };
  };

export interface Receiver {
  readonly url: string;
  readonly events: { event: WebhookEvent; raw: Buffer; signature: string; timestamp: string }[];
  /** So many of the next deliveries are answered 500. */
  failures: number;
  /** Resolves when so many deliveries were answered 200. */
  until(count: number): Promise<void>;
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const waiters: { count: number; resolve: () => void }[] = [];
  const events: Receiver['events'] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const refused = receiver.failures > 0;
      if (refused) receiver.failures -= 1;
      else {
        const raw = Buffer.concat(chunks);
        const signature = String(request.headers['souk-signature']);
        events.push({
          event: JSON.parse(raw.toString()),
          raw,
          signature,
          timestamp: String(request.headers['souk-timestamp']),
        });
      }
      response.writeHead(refused ? 500 : 200).end();
      for (const waiter of waiters) if (events.length >= waiter.count) waiter.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    events,
    failures: 0,
    until: (count) => new Promise((resolve) => (events.length >= count ? resolve() : waiters.push({ count, resolve }))),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}
