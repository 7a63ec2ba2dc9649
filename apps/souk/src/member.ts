import type { IncomingHttpHeaders } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { addGrpcHealth, grpcHandler } from '@souk/adapter-grpc';
import { createPostgresServer } from '@souk/adapter-postgres';
import { ResilienceAdminService } from '@souk/contracts/admin/v1/resilience';
import type { Registration } from '@souk/discovery';
import {
  type AnyService,
  createHost,
  createHostPolicies,
  createHttpServer,
  createMembership,
  type HttpServer,
} from '@souk/host';
import { type Caller, type Context, createLifecycle, type Runtime, rootContext } from '@souk/kernel';
import { type Bus, createInProcessBus } from '@souk/messaging';
import {
  connectHandler,
  createChannelServer,
  createHttpHandler,
  createRouter,
  type HttpProtocol,
  type Interceptor,
  parseMethodLimits,
} from '@souk/rpc';
import { createCallerTokens } from '@souk/security';
import type { TelemetryHub } from '@souk/telemetry';
import { serveAdmin, servePolicies } from './admin/admin.ts';
import { stuckSagas } from './admin/stuck-sagas.ts';
import { createBus } from './bus.ts';
import { ALONE_HEADER, CALLER_HEADER, createOthers, type OthersInit } from './discovery/others.ts';
import { contractsByService, EDGE_SERVICE, OPERATOR_SERVICE } from './discovery/who-serves.ts';
import { drivers } from './drivers.ts';
import { createEdge } from './edge/edge.ts';
import { shopPages } from './edge/shop-pages.ts';
import { appErrors } from './errors.ts';
import { policyRules } from './resilience-settings.ts';
import { createServices } from './services.ts';
import type { ShopSettings } from './settings.ts';
import { VERSION } from './version.ts';

export interface MemberOptions {
  readonly settings: ShopSettings;
  readonly folder: string;
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  readonly serviceUrls: Readonly<Record<string, string>>;
  /** Names of services, `operator` and `edge`. */
  readonly roles: readonly string[];
  /** Name of this process, unique in the shop: `orders-1`. */
  readonly instance: string;
  /** Reads again how calls are spread. */
  readonly reloadBalancing?: OthersInit['reloadBalancing'];
  /** Around every call to a service of this process, as for a test that wants to see what happens when one fails. */
  readonly interceptors?: readonly Interceptor[];
  readonly aroundBus?: (bus: Bus) => Bus;
  /** More services that `roles` may name beside those of the shop. */
  readonly services?: readonly AnyService[];
}

export interface MemberFacts {
  /** Where it takes calls of the other processes. */
  readonly url: string;
  readonly version: string;
}

/** One process of a split shop. */
export interface Member {
  start(): Promise<MemberFacts>;
  stop(): Promise<void>;
  /** Requests from outside arrive on connections that are given to it; undefined where it is no edge. */
  readonly outside: HttpServer | undefined;
}

const CONTEXT_MS = 30_000;

/** @throws APP_NO_ROLE, APP_NO_CALLS_KEY */
export function createMember(options: MemberOptions): Member {
  const { settings, runtime, telemetry, instance, folder } = options;
  const own = telemetry.forService(options.roles.length === 1 ? (options.roles[0] as string) : 'souk');
  const { log } = own;
  const key = settings.calls.key;
  if (key === undefined) throw appErrors.NO_CALLS_KEY();
  const smtp =
    settings.smtp.url === undefined
      ? undefined
      : drivers.smtp().createSmtpTransport({ ...settings.smtp, url: settings.smtp.url });
  const all: Readonly<Record<string, AnyService>> = {
    ...createServices(smtp ? { EMAIL: smtp } : {}),
    ...Object.fromEntries((options.services ?? []).map((one) => [one.name, one])),
  };
  const roles = checkRoles(options.roles, Object.keys(all));
  const lifecycle = createLifecycle({ runtime, log });
  const context = (): Context =>
    rootContext({ runtime, log, timeoutMs: CONTEXT_MS, caller: { roles: ['admin'], service: 'souk' } });

  const inside = createHttpServer({
    runtime,
    port: settings.calls.port,
    host: settings.calls.host,
    drainMs: settings.http.drain,
    log,
  });
  lifecycle.add({ name: 'calls port', start: () => inside.listen(), stop: () => inside.drain() });
  if (smtp) lifecycle.add({ name: 'smtp', stop: async () => smtp.close() });
  const policies = createHostPolicies({
    runtime,
    telemetry: telemetry.forService('host'),
    rules: policyRules(settings.resilience),
    maxEventLoopDelayMs: settings.resilience.maxEventLoopDelay,
    share: settings.resilience.share !== 'off' && roles.services.length > 0,
  });
  const others = createOthers({
    settings,
    callsKey: key,
    runtime,
    telemetry: own,
    folder: join(folder, 'discovery'),
    instance,
    watchesAll: roles.operator,
    ...(options.reloadBalancing && { reloadBalancing: options.reloadBalancing }),
    policies: policies.policies,
  });
  lifecycle.add({ name: 'way to the others', stop: () => others.close() });

  const databases = createPostgresServer({
    runtime,
    log,
    server: settings.store.databaseUrl,
    serviceUrls: options.serviceUrls,
    telemetryFor: (service) => telemetry.forService(service),
    policies: policies.policies,
    pool: { poolSize: roles.services.length > 0 ? settings.store.poolSize : OPERATOR_POOL },
  });
  // Who runs no service hears and says nothing.
  const bus =
    roles.services.length === 0
      ? createInProcessBus({ runtime, log })
      : createBus({ transport: settings.bus.transport, databases, runtime, telemetry: telemetry.forService('bus') });
  const services = roles.services.map((name) => all[name] as AnyService);
  const host = createHost({
    runtime,
    telemetry,
    services,
    system: Object.values(all),
    operates: roles.operator ? Object.values(all) : [],
    forwards: roles.edge ? [...contractsByService().values()].flat() : [],
    remote: others.transportTo,
    databases,
    bus: options.aroundBus?.(bus) ?? bus,
    settings,
    interceptors: options.interceptors ?? [],
    limits: parseMethodLimits(settings.calls.limits),
    stuckSagas,
    policies,
    lifecycle,
  });
  // What the edge passes on is for requests from outside; the other processes find only its policies here.
  const router = roles.edge ? createRouter({ runtime, telemetry: own }) : host.router;
  const adminTelemetry = telemetry.forService('admin');
  const ownPolicies = createRouter({ runtime, telemetry: own });
  const ownDoor = connectHandler(ownPolicies);
  const alone: HttpProtocol = (verb, path, headers) =>
    headers?.[ALONE_HEADER] === undefined ? undefined : ownDoor(verb, path, headers);
  servePolicies(ownPolicies, host, runtime, adminTelemetry);
  if (roles.operator) {
    const everywhere = () => others.clientsOfAll(ResilienceAdminService, OPERATOR_SERVICE);
    const admin = serveAdmin({ host, runtime, telemetry: adminTelemetry, everywhere });
    lifecycle.add({ name: 'jobs of operators', stop: () => admin.stop() });
  }

  const outside = roles.edge
    ? createHttpServer({
        ...{ runtime, port: 0, host: '127.0.0.1', log },
        ...{ drainMs: settings.http.drain, idleMs: settings.http.idle },
      })
    : undefined;
  addGrpcHealth({ router, runtime, isServing: () => lifecycle.state === 'running' });
  const membership = createMembership({
    registry: others.registry,
    runtime,
    log,
    registrations: () => registrations(options, roles, inside.port),
    drainDelayMs: settings.calls.drainDelay,
    onLeaving: () => {
      inside.retire();
      outside?.retire();
    },
  });
  lifecycle.add(membership.listed);
  const tokens = createCallerTokens({ key, runtime });
  const authenticate = async (headers: IncomingHttpHeaders): Promise<Caller> => {
    const token = headers[CALLER_HEADER];
    return typeof token === 'string' ? tokens.verify(token) : { roles: [] };
  };
  const pages = shopPages({
    isReady: () => lifecycle.state === 'running',
    busState: () => host.busHealth().state,
    exposition: () => telemetry.exposition(),
    readMailbox: undefined,
    mayReadMailbox: () => false,
  });
  lifecycle.add({
    name: 'calls',
    start: async () => {
      const door = { router, policies: host.policies, runtime, telemetry: own, authenticate };
      inside.serve(
        createHttpHandler({ ...door, framings: [alone, grpcHandler({ router })], protocols: [pages] }),
        createChannelServer(door),
      );
    },
    stop: async () => {
      // Streams would hold the port until the time is over: their clients come back to another instance.
      router.drain();
      await inside.drain();
    },
    stopTimeoutMs: settings.http.drain + 1000,
  });
  if (outside !== undefined) {
    lifecycle.add({
      name: 'requests from outside',
      start: async () => outside.serve(createEdge({ host, settings, folder, runtime, telemetry, context })),
      stop: async () => {
        host.router.drain();
        await outside.drain();
      },
      stopTimeoutMs: settings.http.drain + 1000,
    });
  }
  lifecycle.add(membership.announced);
  return {
    outside,
    start: async () => {
      await lifecycle.start();
      return { url: `http://${addressOf(settings)}:${inside.port}`, version: settings.discovery.version ?? VERSION };
    },
    stop: () => lifecycle.stop(),
  };
}

/** Operators look at many databases, one after another. */
const OPERATOR_POOL = 2;

interface Roles {
  readonly services: readonly string[];
  readonly operator: boolean;
  readonly edge: boolean;
}

/** @throws APP_NO_ROLE */
function checkRoles(roles: readonly string[], services: readonly string[]): Roles {
  const known = [...services, OPERATOR_SERVICE, EDGE_SERVICE];
  const unknown = roles.find((role) => !known.includes(role));
  if (unknown !== undefined) throw appErrors.NO_ROLE({ role: unknown, roles: known.join(', ') });
  return {
    services: roles.filter((role) => services.includes(role)),
    operator: roles.includes(OPERATOR_SERVICE),
    edge: roles.includes(EDGE_SERVICE),
  };
}

const EVERYWHERE = ['0.0.0.0', '::'];

function addressOf({ calls }: ShopSettings): string {
  if (calls.advertise !== undefined) return calls.advertise;
  return EVERYWHERE.includes(calls.host) ? hostname() : calls.host;
}

/** An entry for each service of the process; where it has but one, under the process's own name. */
function registrations({ settings, instance, runtime }: MemberOptions, roles: Roles, port: number): Registration[] {
  const names = [
    ...roles.services,
    ...(roles.operator ? [OPERATOR_SERVICE] : []),
    ...(roles.edge ? [EDGE_SERVICE] : []),
  ];
  const incarnation = runtime.ids.next('run');
  const { zone, weight, version } = settings.discovery;
  return names.map((service) => ({
    id: names.length === 1 ? instance : `${service}-at-${instance}`,
    service,
    address: addressOf(settings),
    port,
    protocol: 'http',
    version: version ?? VERSION,
    zone: zone ?? '',
    weight,
    tags: [],
    meta: { process: instance, metrics: '/metrics' },
    incarnation,
  }));
}
