import { join } from 'node:path';
import { createEmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import { createPostgresServer } from '@souk/adapter-postgres';
import { createRegistryServer, registrySettings } from '@souk/app-registry';
import { loadSettings } from '@souk/config';
import type { Lifecycle, Runtime } from '@souk/kernel';
import { randomToken } from '@souk/security';
import type { TelemetryHub } from '@souk/telemetry';
import { BUS_DATABASE } from '../bus-setting.ts';
import { DEFAULT_REGISTRY } from '../call-settings.ts';
import { embeddedProvider } from '../provider.ts';
import type { ShopSettings } from '../settings.ts';
import type { ProcessPlan } from './topology.ts';

export interface InfrastructureInit {
  readonly settings: ShopSettings;
  readonly folder: string;
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  /** Databases of single services, by name. */
  readonly serviceUrls: Readonly<Record<string, string>>;
  /** Names of all services. */
  readonly services: readonly string[];
  /** How many processes of services there are: each has connections to its database. */
  readonly processes: number;
  /** Where the shop is reached: for the provider's webhooks. */
  readonly shopUrl: () => string;
  /** Its parts are added here. */
  readonly lifecycle: Lifecycle;
  readonly onProgress: (step: string) => void;
}

type Variables = Readonly<Record<string, string>>;

/** What the processes of a split shop have in common, and none of them owns. */
export interface Infrastructure {
  /** What a process needs to know, and no more: only the databases of its own services. Holds secrets. Once it runs. */
  variablesOf(plan: ProcessPlan): Variables;
  /** Where processes register. */
  readonly registryUrl: string;
  readonly callsKey: string;
  describeDatabase(): string;
}

/** Connections to the embedded server: of each process, and of those that replace one. */
const CONNECTIONS_EACH = 24;
const CONNECTIONS_LEAST = 150;

/** Database, payment provider and registry, where the settings name no others. */
export function createInfrastructure(init: InfrastructureInit): Infrastructure {
  const { settings, folder, runtime, telemetry, services, lifecycle, onProgress } = init;
  const log = telemetry.forService('souk').log;
  const callsKey = settings.calls.key ?? randomToken(runtime.random);
  const urls = new Map<string, string>();
  let registryUrl = settings.discovery.registry;
  let provider: Variables = {};

  const max_connections = Math.max(CONNECTIONS_LEAST, (init.processes + services.length) * CONNECTIONS_EACH);
  const embedded = () => createEmbeddedPostgres({ folder, runtime, log, settings: { max_connections } });
  const databases = createPostgresServer({
    runtime,
    log,
    server: settings.store.databaseUrl ?? embedded(),
    serviceUrls: init.serviceUrls,
    pool: { poolSize: 2 },
  });
  lifecycle.add({
    name: 'database server',
    start: async () => {
      onProgress('starting the database');
      await databases.start();
      const open = async (name: string) => {
        // Opened once, so that a role whose password has changed gets it here, where that is allowed.
        await (await databases.open(name)).close();
        urls.set(name, await databases.urlOf(name));
      };
      await Promise.all([...services, BUS_DATABASE].map(open));
    },
    stop: () => databases.stop(),
  });
  if (runsRegistry(settings)) {
    const server = createRegistryServer({
      runtime,
      log: telemetry.forService('registry').log,
      folder: join(folder, 'registry'),
      http: { host: '127.0.0.1', port: settings.topology.registryPort },
      dns: { host: '127.0.0.1', port: settings.topology.dnsPort },
      settings: loadSettings({ sections: { registry: registrySettings } }).values.registry,
    });
    lifecycle.add({
      name: 'registry',
      start: async () => {
        onProgress('starting the registry');
        registryUrl = (await server.start()).httpUrl;
      },
      stop: () => server.stop(),
    });
  }
  if (settings.provider.embedded) {
    const name = settings.payments.providerName;
    lifecycle.add(
      embeddedProvider({ runtime, log, folder, name, shopUrl: init.shopUrl }, (access) => {
        provider = {
          PAYMENTS_PROVIDER_URL: access.providerUrl,
          PAYMENTS_PROVIDER_API_KEY: access.providerApiKey,
          PAYMENTS_WEBHOOK_SECRETS: access.webhookSecrets,
        };
      }),
    );
  }

  const databaseVariables = (names: readonly string[]): Variables =>
    Object.fromEntries(
      names.flatMap((name) => {
        const url = urls.get(name);
        return url === undefined ? [] : [[`${name.toUpperCase()}_DATABASE_URL`, url]];
      }),
    );

  return {
    get registryUrl() {
      return registryUrl;
    },
    callsKey,
    describeDatabase: () => databases.describe(),
    variablesOf: (plan) => {
      const hears = plan.services.length > 0;
      const own = plan.operator ? services : plan.services;
      return {
        SOUK_REGISTRY: registryUrl,
        SOUK_CALLS_KEY: callsKey,
        ...databaseVariables([...own, ...(hears ? [BUS_DATABASE] : [])]),
        ...(settings.bus.transport === 'in-process' ? { SOUK_BUS: 'postgres' } : {}),
        ...(plan.services.includes('payments') ? provider : {}),
      };
    },
  };
}

/** The default address is that of our own registry: whoever names another one runs it. */
const runsRegistry = ({ discovery }: ShopSettings): boolean => discovery.registry === DEFAULT_REGISTRY;
