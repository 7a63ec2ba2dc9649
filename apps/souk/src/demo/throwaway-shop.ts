import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPaymentProvider, type PaymentProvider, providerSettings } from '@souk/app-payment-provider';
import { loadSettings } from '@souk/config';
import { kernelErrors, systemRuntime } from '@souk/kernel';
import type { Interceptor } from '@souk/rpc';
import { randomToken } from '@souk/security';
import { createTelemetryHub } from '@souk/telemetry';
import { sections } from '../settings.ts';
import { createShop } from '../shop.ts';

/** A shop of its own, in which things can be broken and mended. */
export interface ThrowawayShop {
  readonly url: string;
  readonly folder: string;
  readonly admin: { readonly email: string; readonly password: string };
  readonly provider: Pick<PaymentProvider, 'faults' | 'inspect'>;
  /** Full names of services that cannot be reached. */
  readonly away: Set<string>;
  /** Milliseconds by which methods take longer, by full name. */
  readonly slow: Map<string, number>;
  /** Stops it and removes its folder. */
  end(): Promise<void>;
}

/** What a throw-away shop has that others have not; settings that are given take its place. */
const SETTINGS = ['--demo.products=20', '--log.level=error', '--log.format=json'];

/**
 * Starts a shop on free ports of this machine, in a folder below the system's for temporary files. It knows nothing of `souk.json` and of
 * the environment, and uses no database but its own.
 *
 * @param given Settings: `--resilience.http={}`.
 * @throws CONFIG_INVALID, and whatever keeps a shop from starting; then nothing is left
 */
export async function startThrowawayShop(given: readonly string[]): Promise<ThrowawayShop> {
  const runtime = systemRuntime();
  const apiKey = randomToken(runtime.random);
  const password = randomToken(runtime.random);
  const nameOf = (setting: string) => setting.split('=')[0];
  const own = SETTINGS.filter((setting) => !given.some((other) => nameOf(other) === nameOf(setting)));
  const { values } = loadSettings({ sections, flags: [...own, ...given] });

  const ends: (() => Promise<void>)[] = [];
  const end = async (): Promise<void> => {
    for (const step of ends.splice(0).reverse()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), 'souk-demo-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    // Run by root, the database runs as another user, who must get through.
    await chmod(folder, 0o755);
    const provider = createPaymentProvider({
      runtime,
      settings: loadSettings({
        sections: { provider: providerSettings },
        flags: [`--provider.api-key=${apiKey}`, `--provider.file=${join(folder, 'provider.sqlite')}`],
      }).values.provider,
    });
    ends.push(() => provider.stop());
    const { url: providerUrl } = await provider.start();

    const away = new Set<string>();
    const slow = new Map<string, number>();
    const trouble: Interceptor = (next) => (call) => {
      const [part = ''] = call.method.split('/');
      if (away.has(part)) return Promise.reject(kernelErrors.NOT_STARTED({ part }));
      const delayMs = slow.get(call.method);
      return delayMs === undefined ? next(call) : runtime.timers.sleep(delayMs).then(() => next(call));
    };
    const telemetry = createTelemetryHub({ runtime, level: values.log.level, format: 'json' });
    ends.push(() => telemetry.close());
    const shop = createShop({
      settings: {
        ...values,
        http: { ...values.http, port: 0, host: '127.0.0.1' },
        store: { ...values.store, databaseUrl: undefined },
        admin: { ...values.admin, password },
        provider: { embedded: false },
        payments: { ...values.payments, providerUrl, providerApiKey: apiKey },
      },
      folder,
      runtime,
      telemetry,
      interceptors: [trouble],
    });
    ends.push(() => shop.stop());
    const { url } = await shop.start();
    return { url, folder, admin: { email: values.admin.email, password }, provider, away, slow, end };
  } catch (error) {
    await end();
    throw error;
  }
}
