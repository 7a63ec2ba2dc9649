import { createEmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import { createPostgresServer } from '@souk/adapter-postgres';
import { type AnyService, createHost, createHostPolicies, createHttpServer } from '@souk/host';
import { type Context, createLifecycle, type Runtime, rootContext } from '@souk/kernel';
import type { Bus } from '@souk/messaging';
import { type Interceptor, parseMethodLimits } from '@souk/rpc';
import type { TelemetryHub } from '@souk/telemetry';
import { serveAdmin } from './admin/admin.ts';
import { stuckSagas } from './admin/stuck-sagas.ts';
import { createBus } from './bus.ts';
import { drivers } from './drivers.ts';
import { createEdge } from './edge/edge.ts';
import { originOf } from './origin.ts';
import { embeddedProvider } from './provider.ts';
import { policyRules } from './resilience-settings.ts';
import { createServices } from './services.ts';
import type { ShopSettings } from './settings.ts';
import { stockShop } from './stock-shop.ts';

export interface ShopOptions {
  readonly settings: ShopSettings;
  /** Absolute path of the folder for everything that is kept. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  /** Databases of single services, by name. */
  readonly serviceUrls?: Readonly<Record<string, string>>;
  /** Around every call to a service, as for a test that wants to see what happens when one fails. */
  readonly interceptors?: readonly Interceptor[];
  /** More services beside those of the shop. */
  readonly services?: readonly AnyService[];
  /** Put around the bus, as for a test that wants events to come late or twice. */
  readonly aroundBus?: (bus: Bus) => Bus;
  /** Told what is being done, for people who wait. */
  readonly onProgress?: (step: string) => void;
}

export interface Shop {
  /** Starts everything; when something fails, what had started is stopped again. */
  start(): Promise<ShopFacts>;
  /** Turns away new work, ends or hands back what is under way, and stops the database last. */
  stop(): Promise<void>;
}

/** What people want to know of a shop that has started. */
export interface ShopFacts {
  readonly url: string;
  readonly database: string;
  /** Made at the very first start, and never shown again. */
  readonly newAdminPassword: string | undefined;
  readonly products: number;
}

const SETUP_TIMEOUT_MS = 120_000;

/** The whole shop in one process. */
export function createShop(options: ShopOptions): Shop {
  const { settings, runtime, telemetry, folder, onProgress = () => {} } = options;
  const own = telemetry.forService('souk');
  const { log } = own;
  const lifecycle = createLifecycle({ runtime, log });
  const context = (): Context =>
    rootContext({ runtime, log, timeoutMs: SETUP_TIMEOUT_MS, caller: { roles: ['admin'], service: 'souk' } });

  // The port is taken first, so that a second shop fails at once and calls during the start get an answer; requests are turned away until
  // everything runs, and stop being taken before anything stops.
  const server = createHttpServer({
    runtime,
    port: settings.http.port,
    host: settings.http.host,
    drainMs: settings.http.drain,
    log,
  });
  // Closed by the traffic's stop; here for a start that fails before there is any.
  lifecycle.add({ name: 'http port', start: () => server.listen(), stop: () => server.drain() });
  const policies = createHostPolicies({
    runtime,
    telemetry: telemetry.forService('host'),
    rules: policyRules(settings.resilience),
    maxEventLoopDelayMs: settings.resilience.maxEventLoopDelay,
    share:
      settings.resilience.share === 'on' ||
      (settings.resilience.share === 'auto' && settings.store.databaseUrl !== undefined),
  });
  const serviceSettings: Record<string, unknown> = { ...settings };
  if (settings.provider.embedded) {
    lifecycle.add(
      embeddedProvider(
        {
          runtime,
          log,
          folder,
          name: settings.payments.providerName,
          shopUrl: () => originOf(settings.http.host, server.port),
        },
        (access) => {
          serviceSettings.payments = { ...settings.payments, ...access };
        },
      ),
    );
  }

  const smtp =
    settings.smtp.url === undefined
      ? undefined
      : drivers.smtp().createSmtpTransport({ ...settings.smtp, url: settings.smtp.url });
  if (smtp) lifecycle.add({ name: 'smtp', stop: async () => smtp.close() });
  const databases = createPostgresServer({
    runtime,
    log,
    server: settings.store.databaseUrl ?? createEmbeddedPostgres({ folder, runtime, log }),
    serviceUrls: options.serviceUrls ?? {},
    telemetryFor: (service) => telemetry.forService(service),
    policies: policies.policies,
    pool: { poolSize: settings.store.poolSize },
  });
  const bus = createBus({
    transport: settings.bus.transport,
    databases,
    runtime,
    telemetry: telemetry.forService('bus'),
  });
  const services: readonly AnyService[] = [
    ...Object.values(createServices(smtp ? { EMAIL: smtp } : {})),
    ...(options.services ?? []),
  ];
  const host = createHost({
    runtime,
    telemetry,
    services,
    system: services,
    databases,
    bus: options.aroundBus?.(bus) ?? bus,
    settings: serviceSettings,
    interceptors: options.interceptors ?? [],
    limits: parseMethodLimits(settings.calls.limits),
    stuckSagas,
    policies,
    lifecycle,
    onProgress,
  });

  const facts = { newAdminPassword: undefined as string | undefined, products: 0 };
  lifecycle.add({
    name: 'first data',
    start: async () => {
      Object.assign(facts, await stockShop(host, { runtime, telemetry: own, settings, onProgress }));
    },
  });
  const admin = serveAdmin({ host, runtime, telemetry: telemetry.forService('admin') });
  lifecycle.add({ name: 'jobs of operators', stop: () => admin.stop() });
  lifecycle.add({
    name: 'http traffic',
    start: async () => server.serve(createEdge({ host, settings, folder, runtime, telemetry, context })),
    stop: async () => {
      // Streams would hold the port until the time is over: their clients come back after the next start.
      host.router.drain();
      await server.drain();
    },
    stopTimeoutMs: settings.http.drain + 1000,
  });

  return {
    start: async () => {
      await lifecycle.start();
      return { ...facts, url: originOf(settings.http.host, server.port), database: databases.describe() };
    },
    stop: () => lifecycle.stop(),
  };
}
