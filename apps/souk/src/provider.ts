import { join } from 'node:path';
import { createPaymentProvider, type PaymentProvider, type WebhookType } from '@souk/app-payment-provider';
import type { Logger, Part, Runtime } from '@souk/kernel';
import { randomToken } from '@souk/security';

export interface EmbeddedProviderOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Where the provider keeps its ledger: it must outlive a crash of this process, as an outside provider's does. */
  readonly folder: string;
  /** The provider's name in the path of its webhooks. */
  readonly name: string;
  /** Where the shop listens for the provider's events. */
  readonly shopUrl: () => string;
}

/** What the shop needs to know of its provider. */
export interface ProviderAccess {
  readonly providerUrl: string;
  readonly providerApiKey: string;
  readonly webhookSecrets: string;
}

const LEDGER = 'payment-provider.sqlite';

/** What the shop cannot learn from the answer to a call of its own. The rest would tell it what it knows, once per order. */
const WEBHOOKS: readonly WebhookType[] = ['charge.failed', 'charge.voided', 'refund.succeeded', 'refund.failed'];

/**
 * The demonstration provider in this process, spoken to over HTTP like any other. Its secrets are new at every start.
 *
 * @param onStarted Hears how the provider is reached.
 */
export function embeddedProvider(options: EmbeddedProviderOptions, onStarted: (access: ProviderAccess) => void): Part {
  const { runtime, log, folder, name, shopUrl } = options;
  const apiKey = randomToken(runtime.random);
  const webhookSecret = randomToken(runtime.random);
  let provider: PaymentProvider | undefined;
  return {
    name: 'payment provider',
    start: async () => {
      provider = createPaymentProvider({
        runtime,
        log,
        settings: {
          host: '127.0.0.1',
          port: 0,
          file: join(folder, LEDGER),
          durability: 'normal',
          apiKey,
          webhookUrl: `${shopUrl()}/api/v1/webhooks/payments/${name}`,
          webhookSecret,
          webhookEvents: WEBHOOKS,
          webhookConcurrency: 4,
          webhookTimeout: 5000,
          webhookRetry: 1000,
          webhookTwice: false,
          slow: 2000,
        },
      });
      const { url } = await provider.start();
      onStarted({ providerUrl: url, providerApiKey: apiKey, webhookSecrets: webhookSecret });
    },
    stop: async () => provider?.stop(),
  };
}
