import { createLifecycle, type Logger, type Runtime } from '@souk/kernel';
import type { TelemetryHub } from '@souk/telemetry';
import { createOthers, type Others } from '../discovery/others.ts';
import { appErrors } from '../errors.ts';
import { ensureOperatorToken } from '../operator-token.ts';
import { originOf } from '../origin.ts';
import type { ShopSettings } from '../settings.ts';
import type { ShopFacts } from '../shop.ts';
import { stockShop } from '../stock-shop.ts';
import { Acceptor } from './acceptor.ts';
import { startChild } from './child.ts';
import { createControl } from './control.ts';
import { createInfrastructure, type Infrastructure } from './infrastructure.ts';
import { createLogStream } from './log-stream.ts';
import type { ManagedProcess, ProcessEvent } from './managed-process.ts';
import { ProcessGroup } from './process-group.ts';
import { createStatus } from './status.ts';
import type { ProcessPlan, Topology } from './topology.ts';

export interface SupervisorInit {
  readonly topology: Topology;
  readonly settings: ShopSettings;
  readonly folder: string;
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  readonly serviceUrls: Readonly<Record<string, string>>;
  /** Names of all services. */
  readonly services: readonly string[];
  /** Handed on to every process: variables of this one. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Handed on to every process: `--section.name=value`. */
  readonly flags: readonly string[];
  /** Program that serves a role: arguments for Node.js before the role's. */
  readonly program: readonly string[];
  readonly format: 'json' | 'pretty';
  readonly colour: boolean;
  /** Lines of all processes, and of this one. */
  readonly out: (line: string) => void;
  readonly onProgress: (step: string) => void;
}

export interface Supervisor {
  start(): Promise<ShopFacts>;
  stop(): Promise<void>;
}

/** Settings that are this process's own affair, or that processes of a split shop must not have. */
const OWN_FLAGS =
  /^--(topology|http)[.]|^--bus[.]transport\b|^--discovery[.]registry\b|^--calls[.]key\b|^--store[.]database-?url\b|^--log[.]format\b/i;

/** Runs a process for each part of the shop and keeps them running. */
export function createSupervisor(init: SupervisorInit): Supervisor {
  const { topology, settings, folder, runtime, telemetry, onProgress } = init;
  const own = telemetry.forService('souk');
  const { log } = own;
  const lifecycle = createLifecycle({ runtime, log });
  const logs = createLogStream({
    format: init.format,
    colour: init.colour,
    names: topology.processes.map(({ name }) => name),
    out: init.out,
  });
  /** A stop does not wait for processes that may never be ready. */
  const stopAsked = Promise.withResolvers<void>();
  let publicPort = settings.http.port;
  const shopUrl = () => originOf(settings.http.host, publicPort);

  const spawn = (plan: ProcessPlan) => (instance: string, port: number) =>
    startChild({
      args: [
        ...init.program,
        'serve',
        ...rolesOf(plan),
        '--instance',
        instance,
        ...init.flags.filter((flag) => !OWN_FLAGS.test(flag)),
        `--http.host=${settings.http.host}`,
        `--http.port=${publicPort}`,
        ...(port === 0 ? [] : [`--calls.port=${port}`]),
        `--log.format=${init.format}`,
      ],
      env: { ...withoutSecrets(init.env), ...infrastructure.variablesOf(plan), SOUK_DATA: folder },
      onLine: (line) => logs.write(instance, line),
    });
  const groups = topology.processes.map(
    (plan) => new ProcessGroup({ plan, runtime, spawn: spawn(plan), onChange: (one, event) => onChange(one, event) }),
  );
  const acceptor = new Acceptor({
    host: settings.http.host,
    port: settings.http.port,
    log,
    edges: () => groups.filter(({ plan }) => plan.edge).flatMap(({ processes }) => processes),
  });
  const onChange = (process: ManagedProcess, event: ProcessEvent) => {
    if (event.kind === 'ready') acceptor.wake();
    tell(log, process, event);
  };

  // Taken first, so that a second shop fails at once; given back when the last edge has finished.
  lifecycle.add({
    name: 'http port',
    start: async () => {
      publicPort = await acceptor.listen();
    },
    stop: async () => acceptor.close(),
  });
  const infrastructure: Infrastructure = createInfrastructure({
    ...init,
    processes: groups.reduce((sum, { plan }) => sum + plan.instances, 0),
    shopUrl,
    lifecycle,
  });
  lifecycle.add({
    name: 'processes',
    start: async () => {
      onProgress(`starting ${groups.length} kinds of processes`);
      ensureOperatorToken(folder, runtime.random);
      for (const group of groups) group.start();
      await Promise.race([Promise.all(groups.map((group) => group.whenReady())), stopAsked.promise]);
    },
    // Who takes requests goes first, so that none is left without the services behind it.
    stop: async () => {
      const isEdge = ({ plan }: ProcessGroup) => plan.edge;
      acceptor.close();
      await Promise.all(groups.filter(isEdge).map((group) => group.stop()));
      await Promise.all(groups.filter((group) => !isEdge(group)).map((group) => group.stop()));
    },
    stopTimeoutMs: 100_000,
  });
  let others: Others | undefined;
  const facts = { newAdminPassword: undefined as string | undefined, products: 0 };
  lifecycle.add({
    name: 'first data',
    start: async () => {
      others = createOthers({
        settings: { ...settings, discovery: { ...settings.discovery, registry: infrastructure.registryUrl } },
        callsKey: infrastructure.callsKey,
        runtime,
        telemetry: own,
        folder: undefined,
        instance: 'souk',
      });
      Object.assign(facts, await stockShop(others, { runtime, telemetry: own, settings, onProgress }));
    },
    stop: async () => others?.close(),
  });
  const status = createStatus({ groups, runtime });
  const control = createControl({ folder, runtime, log, status, restart, shopUrl });
  lifecycle.add(status.part);
  lifecycle.add(control);

  /** @throws APP_NO_PROCESS, APP_RESTART_UNDER_WAY, APP_RESTART_FAILED */
  async function restart(name: string, onStep: (step: string) => void): Promise<void> {
    const found =
      groups.find(({ plan }) => plan.name === name) ?? groups.find(({ plan }) => plan.services.includes(name));
    if (found === undefined) {
      throw appErrors.NO_PROCESS({ name, names: groups.map(({ plan }) => plan.name).join(', ') });
    }
    await found.restart(onStep);
  }

  return {
    start: async () => {
      await lifecycle.start();
      return { ...facts, url: shopUrl(), database: infrastructure.describeDatabase() };
    },
    stop: () => {
      stopAsked.resolve();
      return lifecycle.stop();
    },
  };
}

const rolesOf = ({ services, edge, operator }: ProcessPlan): string[] => [
  ...services,
  ...(operator ? ['operator'] : []),
  ...(edge ? ['edge'] : []),
];

/** Databases of all services, and the server's own: each process gets those of its own services, and nothing else. */
const withoutSecrets = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/DATABASE_URL$/.test(name)));

function tell(log: Logger, { name, lastExit }: ManagedProcess, event: ProcessEvent): void {
  const how = lastExit?.signal ?? lastExit?.code ?? '';
  if (event.kind === 'ready') log.info('a process is ready', { process: name, tookMs: Math.round(event.tookMs) });
  else if (event.kind === 'stopped' && event.forced)
    log.warn('a process did not leave in time and was ended', { process: name });
  else if (event.kind === 'stopped') log.info('a process has left', { process: name });
  else if (event.kind === 'ended')
    log.warn('a process ended; it is started again', { process: name, how, againInMs: event.againInMs });
  else
    log.error('a process ends again and again: see its last lines above', {
      process: name,
      ends: event.ends,
      withinMs: event.withinMs,
    });
}
