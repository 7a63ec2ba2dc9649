import { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import { InventoryService } from '@souk/contracts/inventory/v1/inventory';
import { rootContext, systemRuntime } from '@souk/kernel';
import { createClient, createConnectTransport } from '@souk/rpc';
import { createTelemetryHub, silentTelemetry } from '@souk/telemetry';
import { type Command, wholeNumber } from '../cli/command.ts';
import { progressBar, terminal } from '../cli/terminal.ts';
import { appErrors } from '../errors.ts';
import { loadShopSettings } from '../load-shop-settings.ts';
import { ensureOperatorToken, readOperatorToken } from '../operator-token.ts';
import { seedShop } from '../seed.ts';
import { createShop } from '../shop.ts';
import { shopUrlOf } from '../topology/find-control.ts';

export const seedCommand: Command = {
  name: 'seed',
  summary: 'Fill the catalog and its stock with made-up products',
  usage: '[--products <n>] [--seed <n>] [--url <url>]',
  help: [
    ['--products <n>', 'How many there shall be. What is there already is left alone. Default: 1000.'],
    ['--seed <n>', 'The same seed makes the same products. Default: 1.'],
    [
      '--url <url>',
      'Where the shop runs. Default: this machine, at the port of the settings; it is started for the while when it does not run.',
    ],
  ],
  options: { products: { type: 'string' }, seed: { type: 'string' }, url: { type: 'string' } },
  takesSettings: true,
  run: async (given) => {
    const { values, env, folder, serviceUrls } = await loadShopSettings(given.settings);
    const out = terminal(env);
    const products = wholeNumber(given, 'products', 'seed') ?? 1000;
    const seed = wholeNumber(given, 'seed', 'seed') ?? values.demo.seed;
    const runtime = systemRuntime();
    const startedMs = runtime.clock.monotonicMs();

    let url = shopUrlOf(given.options.url, folder, values.http.port);
    let stop = async () => {};
    if (!(await answers(url))) {
      if (given.options.url !== undefined) throw appErrors.NOT_RUNNING({ url });
      const telemetry = createTelemetryHub({ runtime, level: 'warn' });
      ensureOperatorToken(folder, runtime.random);
      const settings = { ...values, http: { ...values.http, port: 0 }, demo: { ...values.demo, products: 0 } };
      const shop = createShop({ settings, folder, runtime, telemetry, serviceUrls });
      stop = async () => {
        await shop.stop();
        await telemetry.close();
      };
      ({ url } = await shop.start());
    }
    try {
      const transport = createConnectTransport({
        baseUrl: url,
        fetch,
        runtime,
        headers: () => ({ authorization: `Bearer ${readOperatorToken(folder)}` }),
      });
      const telemetry = silentTelemetry(runtime);
      const client = { runtime, telemetry };
      using ctx = rootContext({ runtime });
      const made = await seedShop(ctx, {
        catalog: createClient(CatalogService, transport, client),
        inventory: createClient(InventoryService, transport, client),
        products,
        seed,
        onProgress: (done) => out.progress(`${progressBar(done, products)}  ${done} of ${products} products`),
      });
      const seconds = ((runtime.clock.monotonicMs() - startedMs) / 1000).toFixed(1);
      out.say(`${out.green('✓')} ${made} products made, ${products - made} were there already (${seconds} s)`);
    } finally {
      await stop();
    }
    return 0;
  },
};

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/live`)).ok;
  } catch {
    return false;
  }
}
