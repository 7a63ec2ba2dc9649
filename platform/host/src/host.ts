import type { DescService } from '@bufbuild/protobuf';
import { createLifecycle, type Lifecycle, type Runtime } from '@souk/kernel';
import type { Bus, BusHealth } from '@souk/messaging';
import type { BreakerSharing, PolicyRegistry } from '@souk/resilience';
import {
  type Client,
  createClient,
  createInProcessTransport,
  createRouter,
  type Interceptor,
  type MethodLimits,
  type Router,
  type Transport,
} from '@souk/rpc';
import type { Database, DatabaseServer } from '@souk/store';
import type { TelemetryHub } from '@souk/telemetry';
import type { AnyService } from './any-service.ts';
import { hostErrors } from './errors.ts';
import { forwarding } from './forward.ts';
import { type HostedService, hostService } from './hosted-service.ts';
import { createJobs } from './jobs.ts';
import { createHostPolicies, type HostPolicies } from './policies.ts';
import type { ServiceOperators, StuckTeller } from './service-operators.ts';
import { checkSplitSafety } from './split-safety.ts';

export interface HostOptions {
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  /** Services of this process. */
  readonly services: readonly AnyService[];
  readonly databases: DatabaseServer;
  /** Started and closed by the host. */
  readonly bus: Bus;
  /** Resolved settings by service name. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The way to services of other processes, by full protobuf name. Without it, every callee must be in this process. */
  readonly remote?: (typeName: string) => Transport | undefined;
  /** All services there are, wherever they run: with it, a call or an event that nobody answers or tells is found at the start. */
  readonly system?: readonly AnyService[];
  /** Contracts that are served here by passing each call on to where `remote` leads. */
  readonly forwards?: readonly DescService[];
  /** Services that run elsewhere and are operated from here: their databases are opened, nothing of them is served or run. */
  readonly operates?: readonly AnyService[];
  /** Connections per service: a number, or one by name. @default the server's own */
  readonly poolSizes?: Readonly<Record<string, number>>;
  /** Around every call to a service of this process; the first is the outermost. */
  readonly interceptors?: readonly Interceptor[];
  /** What single methods may take, by `souk.orders.v1.OrderService/PlaceOrder`. @default what the router allows */
  readonly limits?: Readonly<Record<string, MethodLimits>>;
  /** What every call, publish and query goes through. @default with the presets, shared with nobody */
  readonly policies?: HostPolicies;
  /** Tells of sagas that are stuck. @default they are in the log and in the metrics only */
  readonly stuckSagas?: StuckTeller;
  /** Takes the host's parts, behind those it has. @default a new one */
  readonly lifecycle?: Lifecycle;
  /** Told what is being done, for people who wait. */
  readonly onProgress?: (step: string) => void;
}

/** Runs any set of services in this process. */
export interface Host {
  readonly router: Router;
  /** The policies of this process, by name. */
  readonly policies: PolicyRegistry;
  /** What instances of this process know of each other's breakers; undefined when nothing is shared. */
  readonly sharing: BreakerSharing | undefined;
  /** Databases and services, in the order they start; more parts, such as an HTTP server, may be added before `start`. */
  readonly lifecycle: Lifecycle;
  /**
   * Whether the way to other services' events is open. While it is not, events wait in their outbox and calls are served: tell it to
   * people, but turn no traffic away for it.
   */
  busHealth(): BusHealth;
  /** What operators can look at and steer, for each service of this process; none before they are prepared. */
  operators(): readonly ServiceOperators[];
  /** A client of a service, wherever it runs, for programs around the services; calls as `callerService`. */
  client<TService extends DescService>(service: TService, callerService: string): Client<TService>;
}

export function createHost(options: HostOptions): Host {
  const { runtime, services, telemetry, databases, onProgress = () => {} } = options;
  const own = telemetry.forService('host');
  const hostPolicies = options.policies ?? createHostPolicies({ runtime, telemetry: own });
  const { policies } = hostPolicies;
  const router = createRouter({
    ...{ runtime, telemetry: own, interceptors: options.interceptors ?? [] },
    ...(options.limits && { limits: options.limits }),
  });
  const inProcess = createInProcessTransport(router);
  const here = new Set(services.flatMap(({ serves }) => serves.map(({ typeName }) => typeName)));
  const transportTo = (typeName: string): Transport | undefined =>
    here.has(typeName) ? inProcess : options.remote?.(typeName);
  checkServices(services, transportTo);
  checkSplitSafety({
    services,
    settings: options.settings,
    ...(options.system && { system: options.system, publishes: options.stuckSagas?.publishes ?? [] }),
  });
  for (const service of options.forwards ?? []) {
    const transport = transportTo(service.typeName);
    if (!transport) throw hostErrors.CALLEE_MISSING({ service: 'host', callee: service.typeName });
    router.add(service, forwarding(service, transport, { runtime, telemetry: own, policies }));
  }

  const lifecycle = options.lifecycle ?? createLifecycle({ runtime, log: own.log });
  const jobs = createJobs(runtime);
  const opened: Database[] = [];
  let hosted: readonly HostedService[] = [];
  const closeAll = async () => void (await Promise.all(opened.map((db) => db.close())));
  const stopAll = async () => void (await Promise.all(hosted.map((service) => service.stop())));

  lifecycle.add({
    name: 'database server',
    start: () => {
      onProgress('starting the database');
      return databases.start();
    },
    stop: () => databases.stop(),
  });
  lifecycle.add({
    name: 'databases',
    start: async () => {
      onProgress('preparing the databases');
      const open = async (service: AnyService, role: 'run' | 'operate') => {
        const poolSize = options.poolSizes?.[service.name];
        const db = await databases.open(service.name, poolSize === undefined ? {} : { poolSize });
        opened.push(db);
        return hostService({
          service,
          role,
          runtime,
          telemetry: telemetry.forService(service.name),
          settings: options.settings[service.name],
          db,
          bus: options.bus,
          router,
          transportTo: transportTo as (typeName: string) => Transport,
          jobs,
          policies,
          stuckSagas: options.stuckSagas,
        });
      };
      const begun = services.map((service) => open(service, 'run'));
      const operated = (options.operates ?? []).map((service) => open(service, 'operate'));
      hosted = await allOrNone([...begun, ...operated], closeAll);
    },
    stop: closeAll,
  });
  lifecycle.add(hostPolicies.part);
  lifecycle.add({
    name: 'breakers of other instances',
    start: async () => {
      const [first] = [...opened].sort((one, other) => (one.name < other.name ? -1 : 1));
      if (first !== undefined) await hostPolicies.open(first);
    },
    stop: () => hostPolicies.close(),
  });
  lifecycle.add({
    name: 'bus',
    start: () => options.bus.start(),
    stop: () => options.bus.close(),
  });
  lifecycle.add({
    name: 'services',
    start: async () => {
      onProgress('starting the services');
      await allOrNone(
        hosted.map((service) => service.start()),
        stopAll,
      );
    },
    stop: stopAll,
    stopTimeoutMs: 20_000,
  });
  lifecycle.add({ name: 'jobs', start: async () => jobs.start(), stop: () => jobs.stop() });

  return {
    router,
    policies,
    sharing: hostPolicies.sharing,
    lifecycle,
    operators: () => hosted.map(({ operators }) => operators),
    busHealth: () => options.bus.health(),
    client: (service, callerService) => {
      const transport = transportTo(service.typeName);
      if (transport === undefined)
        throw hostErrors.CALLEE_MISSING({ service: callerService, callee: service.typeName });
      return createClient(service, transport, { runtime, telemetry: own, callerService, policies });
    },
  };
}

/** Waits for all, also when one fails: then what the others have done is undone before the error is thrown. */
async function allOrNone<T>(work: readonly Promise<T>[], undo: () => Promise<void>): Promise<readonly T[]> {
  try {
    return await Promise.all(work);
  } catch (error) {
    await Promise.allSettled(work);
    await undo();
    throw error;
  }
}

/** @throws HOST_SERVICE_TWICE, HOST_CALLEE_MISSING */
function checkServices(
  services: readonly AnyService[],
  transportTo: (typeName: string) => Transport | undefined,
): void {
  const names = new Set<string>();
  for (const service of services) {
    if (names.has(service.name)) throw hostErrors.SERVICE_TWICE({ service: service.name });
    names.add(service.name);
    for (const { typeName } of Object.values(service.calls)) {
      if (!transportTo(typeName)) throw hostErrors.CALLEE_MISSING({ service: service.name, callee: typeName });
    }
  }
}
