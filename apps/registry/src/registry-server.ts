import { fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { createRegistry, METRICS_CONTENT_TYPE, type Metrics } from '@souk/telemetry';
import { checkRoutes } from './agent/check-routes.ts';
import { createIncarnations } from './agent/incarnations.ts';
import { type AgentWorld, createLocalAgent } from './agent/local-agent.ts';
import { memberRoutes } from './agent/members.ts';
import { putOwnNode } from './agent/own-node.ts';
import { createReaper } from './agent/reaper.ts';
import { ownMember, type Self, selfRoutes } from './agent/self-routes.ts';
import { serviceRoutes } from './agent/service-routes.ts';
import { createCatalogApi } from './catalog/catalog-routes.ts';
import { createTargetGuard } from './checks/target-guard.ts';
import { createDnsServer } from './dns/dns-server.ts';
import { createEvents } from './event/events.ts';
import { createHealth } from './health/health-routes.ts';
import { createHttpServer } from './http/http-server.ts';
import { createKvModules } from './kv/modules.ts';
import type { Module } from './module.ts';
import { openDataFolder } from './persistence/data-folder.ts';
import { lockFolder } from './persistence/folder-lock.ts';
import { type FolderJournal, openJournal, restore } from './persistence/journal.ts';
import { createRegistryMetrics } from './registry-metrics.ts';
import type { RegistrySettings } from './settings.ts';
import { createChanges } from './souk/changes.ts';
import { createSoukApi } from './souk/souk-api.ts';
import type { Catalog } from './state/catalog.ts';
import { type CatalogStore, createCatalogStore } from './state/catalog-store.ts';
import type { Commits } from './state/commits.ts';
import { createGroupCommit, type GroupCommit, type Journal } from './state/group-commit.ts';
import { createRevisions, type Revisions } from './state/revisions.ts';

export interface RegistryServerOptions {
  readonly runtime: Runtime;
  /** Default: says nothing. */
  readonly log?: Logger;
  /** Default: its own, shown at `/v1/agent/metrics?format=prometheus` in either case. */
  readonly metrics?: Metrics | undefined;
  /** The page that is shown there when `metrics` are somebody else's. */
  readonly exposition?: (() => string) | undefined;
  /** Where state is kept. Without it, all is forgotten when the registry stops. */
  readonly folder?: string | undefined;
  readonly http: { readonly host: string; readonly port: number };
  /** Without it there is no DNS. */
  readonly dns?: { readonly host: string; readonly port: number } | undefined;
  readonly settings: RegistrySettings;
  /** Told when a client asks the agent to leave. */
  readonly onLeave?: (() => void) | undefined;
}

export interface RegistryServer {
  /**
   * Restores what was kept, then listens.
   * @throws REGISTRY_FOLDER_IN_USE, REGISTRY_FOLDER_UNUSABLE, REGISTRY_CANNOT_LISTEN; what was begun is undone
   */
  start(): Promise<{ readonly httpUrl: string; readonly dnsPort: number | undefined }>;
  /** Answers those who wait, makes the changes that were taken, writes all state. */
  stop(): Promise<void>;
  /** What it knows, for whoever runs it in the same process. */
  readonly state: {
    readonly catalog: Catalog;
    readonly revisions: Revisions;
    readonly commits: Commits;
    /** Requests that are not answered yet. */
    readonly pendingRequests: number;
  };
}

/** A service registry that speaks Consul's HTTP API and DNS. One process, one datacenter. */
export function createRegistryServer(options: RegistryServerOptions): RegistryServer {
  const { runtime, settings, log = silentLogger } = options;
  const revisions = createRevisions(runtime);
  const catalog: CatalogStore = createCatalogStore({ revisions, self: settings.nodeName });
  const journal = lateJournal();
  const commits: GroupCommit = createGroupCommit({
    ...{ runtime, revisions, log, delayMs: settings.commitDelay, journal },
  });
  const world: AgentWorld = {
    ...{ runtime, log, revisions, commits, catalog },
    ...{ datacenter: settings.datacenter, nodeName: settings.nodeName },
  };

  const own = createRegistry();
  const metrics = createRegistryMetrics(options.metrics ?? own.view({}), {
    ...{ catalog, revisions },
    leases: () => agent.leases,
    probing: () => agent.probing,
    suspects: () => reaper.guard.suspects.length,
  });
  const guard = createTargetGuard(settings.probeNetworks);
  const agent = createLocalAgent(world, {
    ...{ guard, outputDelayMs: settings.outputInterval },
    onProbe: ({ target }, { status }) => metrics.onProbe(target?.kind ?? 'ttl', status),
  });
  const reaper = createReaper(world, agent, {
    ...{ deregisterAfterMs: settings.deregisterAfter, everyMs: settings.reapInterval },
    ...{ guardShare: settings.guardShare, guardFrom: settings.guardFrom, onRemoved: metrics.onRemoved },
  });
  const runs = createIncarnations(world, agent);
  const self: Self = {
    ...{ nodeName: settings.nodeName, address: settings.advertise, datacenter: settings.datacenter },
    nodeId: () => catalog.node(settings.nodeName)?.id ?? '',
  };
  let httpPort = 0;
  const rules = {
    failuresBeforeCritical: settings.failuresBeforeCritical,
    successBeforePassing: settings.successBeforePassing,
    scripts: settings.scriptChecks,
  };
  const core: Module = {
    routes: [
      ...serviceRoutes(world, { agent, rules, runs }),
      ...checkRoutes(world, agent, rules),
      ...memberRoutes({
        ...{ guard, timers: runtime.timers },
        self: () => ownMember(self),
        httpPort: () => httpPort,
        onLeave: options.onLeave ?? (() => {}),
      }),
      ...selfRoutes(self, {
        catalog,
        exposition: () => ({ type: METRICS_CONTENT_TYPE, text: (options.exposition ?? own.exposition)() }),
        gauges: metrics.gauges,
        now: runtime.clock.now,
      }),
    ],
    persistent: agent.persistent,
    start: () => {
      agent.start();
      reaper.start();
    },
    stop: () => {
      reaper.stop();
      agent.stop();
    },
  };
  const modules: readonly Module[] = [
    core,
    createCatalogApi(world),
    createHealth(world),
    createSoukApi(world, { agent, reaper, runs }),
    createChanges(world),
    ...createKvModules(world),
    createEvents(world),
  ];

  const http = createHttpServer({
    ...{ runtime, log, revisions, datacenter: settings.datacenter, onAnswer: metrics.onAnswer },
    maxConnectionsPerClient: settings.maxConnectionsPerClient,
    routes: modules.flatMap(({ routes }) => routes),
  });
  const dns =
    options.dns &&
    createDnsServer({
      ...{ runtime, log, catalog, datacenter: settings.datacenter, ...options.dns },
      settings: { ttlSeconds: settings.dnsTtl / 1000, onlyPassing: settings.dnsOnlyPassing },
    });

  /** What `stop` undoes, the last first. */
  const undo: Array<() => Promise<void> | void> = [];

  const openFolder = async (folder: string): Promise<void> => {
    const data = await openDataFolder(folder, log);
    undo.push(await lockFolder(folder));
    const persistents = [catalog.persistent, ...modules.flatMap(({ persistent }) => persistent ?? [])];
    const rev = await restore(data, persistents, log);
    if (rev !== undefined) revisions.restore(rev);
    const opened = await openJournal({
      ...{ folder: data, log, persistents, snapshotBytes: settings.snapshotBytes },
      revision: () => revisions.current,
    });
    journal.use(opened);
    undo.push(() => opened.close());
  };

  const start = async (): Promise<{ readonly httpUrl: string; readonly dnsPort: number | undefined }> => {
    if (options.folder !== undefined) await openFolder(options.folder);
    undo.push(() => commits.close());
    for (const module of modules) {
      module.start?.();
      undo.push(() => module.stop?.());
    }
    const listed = commits.run((change) => putOwnNode(catalog, change, self, runtime.ids.uuid()));
    await commits.flush();
    await listed;
    const httpUrl = await http.listen(options.http.host, options.http.port);
    undo.push(() => http.close());
    httpPort = Number(new URL(httpUrl).port);
    if (dns !== undefined) {
      await dns.start();
      undo.push(() => dns.stop());
    }
    log.info('the registry listens', { url: httpUrl, dnsPort: dns?.port, folder: options.folder ?? 'none' });
    return { httpUrl, dnsPort: dns?.port };
  };

  const stop = async (): Promise<void> => {
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) {
      try {
        await last();
      } catch (thrown) {
        log.error('a part of the registry did not stop cleanly', { err: fromUnknown(thrown) });
      }
    }
  };

  return {
    start: async () => {
      try {
        return await start();
      } catch (thrown) {
        await stop();
        throw thrown;
      }
    },
    stop,
    state: {
      ...{ catalog, revisions, commits },
      get pendingRequests() {
        return http.pending;
      },
    },
  };
}

/** The log is opened after what writes to it was made. Without a folder it never is. */
function lateJournal(): Journal & { use(journal: FolderJournal): void } {
  let used: FolderJournal | undefined;
  return {
    use: (journal) => {
      used = journal;
    },
    append: (rev, entries) => used?.append(rev, entries),
    sync: async () => used?.sync(),
  };
}
