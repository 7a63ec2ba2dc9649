import { join } from 'node:path';
import type { DescService } from '@bufbuild/protobuf';
import { createGrpcTransport } from '@souk/adapter-grpc';
import { createHttpTransport } from '@souk/adapter-undici';
import {
  createDirectory,
  createPicker,
  type Directory,
  type Instance,
  type Registry,
  stickyKey,
} from '@souk/discovery';
import { hostErrors } from '@souk/host';
import { ANONYMOUS, type Runtime } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import {
  AFFINITY_HEADER,
  type Client,
  createBalancedTransport,
  createClient,
  type InstanceTransport,
  type Transport,
  type WireCall,
} from '@souk/rpc';
import { createCallerTokens } from '@souk/security';
import type { Telemetry } from '@souk/telemetry';
import type { ShopSettings } from '../settings.ts';
import { createLiveBalancing, type LiveBalancingInit } from './live-balancing.ts';
import { createRegistryClient } from './registry-client.ts';
import { contractsByService, EDGE_SERVICE } from './who-serves.ts';

export interface OthersInit {
  readonly settings: Pick<ShopSettings, 'calls' | 'discovery'>;
  readonly callsKey: string;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** Where the last known instances are kept; undefined: nowhere. */
  readonly folder: string | undefined;
  /** Name of this process. */
  readonly instance: string;
  /** Whether `clientsOfAll` is asked for: then every service is watched from the start. @default false */
  readonly watchesAll?: boolean;
  /** Reads again how calls are spread; undefined where nothing was changed. @default it stays as it is */
  readonly reloadBalancing?: LiveBalancingInit['reload'];
  /** What calls by `client` go through. @default a policy registry of its own for each client */
  readonly policies?: PolicyRegistry;
}

/** The way to the other processes of a split shop. */
export interface Others {
  readonly registry: Registry;
  readonly directory: Directory;
  /** By full protobuf name; undefined for what no service of the shop serves. */
  transportTo(typeName: string): Transport | undefined;
  client<TService extends DescService>(service: TService, callerService: string): Client<TService>;
  /** A client of each process that serves now, whatever it serves: for contracts that all of them have. Each answers for itself alone. */
  clientsOfAll<TService extends DescService>(
    service: TService,
    callerService: string,
  ): readonly ProcessClient<TService>[];
  close(): Promise<void>;
}

export interface ProcessClient<TService extends DescService> {
  /** `orders-1` */
  readonly process: string;
  readonly client: Client<TService>;
}

interface Way {
  readonly transport: Transport;
  close(): Promise<void>;
}

/** Carries who calls from process to process. Named here and where it is read. */
export const CALLER_HEADER = 'x-souk-caller';

/** Marks a call to one process, not to all that it speaks for: a process of operators answers for every process otherwise, itself among them. */
export const ALONE_HEADER = 'x-souk-alone';

/** Under these names all processes are registered. */
const PROCESSES: readonly string[] = [...contractsByService().keys(), EDGE_SERVICE];

export function createOthers(init: OthersInit): Others {
  const { settings, runtime, telemetry, instance } = init;
  const { log, metrics } = telemetry;
  const registry = createRegistryClient(settings.discovery, runtime, log);
  const directory = createDirectory({
    registry,
    runtime,
    log,
    metrics,
    ...(init.folder !== undefined && { cacheFile: join(init.folder, `instances-${instance}.json`) }),
  });
  const tokens = createCallerTokens({ key: init.callsKey, runtime });
  const headers = ({ caller = ANONYMOUS }: WireCall) => ({ [CALLER_HEADER]: tokens.sign(caller) });
  const http = createHttpTransport({
    runtime,
    headers,
    channels: settings.calls.channels === 'on',
    connectionsPerInstance: settings.calls.connections,
  });
  /** A header says that a process is to answer for itself; on a channel nobody would look at it before the call is handed on. */
  const overHttp = createHttpTransport({ runtime, headers, channels: false });
  /** Single calls take the short way, streams share a connection of HTTP/2, which is made for the first of them. */
  const connect = (one: Instance): InstanceTransport => {
    const single = http.to(one);
    let streams: InstanceTransport | undefined;
    const demand = () => {
      const host = one.address.includes(':') ? `[${one.address}]` : one.address;
      streams ??= createGrpcTransport({ baseUrl: `${one.protocol}://${host}:${one.port}`, runtime, headers });
      return streams;
    };
    return {
      send: (request) => single.send(request),
      stream: (request) => (demand().stream as NonNullable<InstanceTransport['stream']>)(request),
      close: async () => {
        await Promise.all([single.close(), streams?.close()]);
      },
    };
  };
  const balancing = createLiveBalancing({
    settings: settings.calls.balancing,
    ...(init.reloadBalancing && { reload: init.reloadBalancing }),
    timers: runtime.timers,
    log,
  });
  const services = contractsByService();
  const serviceOf = new Map([...services].flatMap(([name, contracts]) => contracts.map((one) => [one.typeName, name])));
  /** Ways to single processes, by their names. */
  const direct = new Map<string, { readonly transport: InstanceTransport; readonly incarnation: string }>();
  const ways = new Map<string, Way>();

  const wayTo = (service: string) => {
    const known = ways.get(service);
    if (known !== undefined) return known;
    const picker = createPicker({
      service,
      runtime,
      settings: () => balancing.of(service),
      self: { zone: settings.discovery.zone ?? '', id: instance },
      metrics,
    });
    const transport = createBalancedTransport({
      service,
      picker,
      connect,
      runtime,
      telemetry,
      waitMs: WAIT_FOR_INSTANCE_MS,
      keyOf: ({ headers: sent, caller }) =>
        sent[AFFINITY_HEADER] ??
        stickyKey(balancing.of(service).key, { subject: caller?.userId, header: (name) => sent[name] }),
    });
    const watch = directory.onChange(service, (view) => transport.update(view));
    const way: Way = {
      transport,
      close: () => {
        watch.close();
        return transport.close();
      },
    };
    ways.set(service, way);
    return way;
  };
  const transportTo = (typeName: string): Transport | undefined => {
    const service = serviceOf.get(typeName);
    return service === undefined ? undefined : wayTo(service).transport;
  };

  if (init.watchesAll === true) for (const name of PROCESSES) void directory.onChange(name, () => {});

  return {
    registry,
    directory,
    transportTo,
    client: (service, callerService) => {
      const transport = transportTo(service.typeName);
      if (transport === undefined)
        throw hostErrors.CALLEE_MISSING({ service: callerService, callee: service.typeName });
      return createClient(service, transport, {
        runtime,
        telemetry,
        callerService,
        ...(init.policies && { policies: init.policies }),
      });
    },
    clientsOfAll: (service, callerService) => {
      const known = PROCESSES.flatMap((name) => directory.view(name)?.instances ?? []);
      const processes = new Map(known.filter(({ serving }) => serving).map((one) => [one.meta.process ?? one.id, one]));
      for (const [name, { transport }] of direct) {
        if (processes.has(name)) continue;
        direct.delete(name);
        void transport.close();
      }
      return [...processes].map(([name, one]) => {
        let found = direct.get(name);
        if (found?.incarnation !== one.incarnation) {
          void found?.transport.close();
          found = { transport: alone(overHttp.to(one)), incarnation: one.incarnation };
          direct.set(name, found);
        }
        return {
          process: name,
          client: createClient(service, found.transport, { runtime, telemetry, callerService }),
        };
      });
    },
    close: async () => {
      balancing.close();
      await Promise.all([...direct.values()].map(({ transport }) => transport.close()));
      await Promise.all([...ways.values()].map((way) => way.close()));
      await directory.close();
      await registry.close();
    },
  };
}

/** While processes start, or the only one of its kind is started again, callers wait rather than fail. Milliseconds. */
const WAIT_FOR_INSTANCE_MS = 3000;

const alone = (transport: InstanceTransport): InstanceTransport => ({
  send: (request) => transport.send({ ...request, headers: { ...request.headers, [ALONE_HEADER]: 'true' } }),
  close: () => transport.close(),
});
