import {
  createEventStore,
  createProjections,
  type EventStore,
  type Projections,
  projectionMigrations,
} from '@souk/eventstore';
import { type Context, fromUnknown, type Runtime, rootContext } from '@souk/kernel';
import { type Bus, createMessaging, type EventHandler, type Messaging, messagingMigrations } from '@souk/messaging';
import type { PolicyRegistry } from '@souk/resilience';
import { createClient, type Router, type Transport } from '@souk/rpc';
import { createSagaEngine, type SagaEngine, sagaMigrations } from '@souk/saga';
import { eventRules } from '@souk/schema';
import { type Database, idempotencyMigrations, type Migration, migrate, sweepIdempotency } from '@souk/store';
import { standardMetrics, type Telemetry } from '@souk/telemetry';
import type { AnyDeps, AnyService } from './any-service.ts';
import type { Jobs } from './jobs.ts';
import type { ServiceOperators, StuckTeller } from './service-operators.ts';

export interface HostedServiceOptions {
  readonly service: AnyService;
  /** `operate`: it runs elsewhere; here is only what operators look at and steer, which is all in its database. */
  readonly role: 'run' | 'operate';
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly settings: unknown;
  readonly db: Database;
  readonly bus: Bus;
  readonly router: Router;
  /** Finds the way to a service by its full protobuf name. */
  readonly transportTo: (typeName: string) => Transport;
  readonly jobs: Jobs;
  readonly policies: PolicyRegistry;
  readonly stuckSagas: StuckTeller | undefined;
}

/** One service at work in this process. */
export interface HostedService {
  readonly name: string;
  readonly operators: ServiceOperators;
  /** Begins to hear events and to run sagas. Calls are served before: other services may need them to start. */
  start(): Promise<void>;
  /** Takes nothing new, ends or hands back what is under way. */
  stop(): Promise<void>;
}

const MIGRATION_TIMEOUT_MS = 120_000;
const SWEEP_EVERY_MS = 10 * 60_000;
const SWEEP_BATCH = 1000;

/** Brings the service's schema up to date, makes its dependencies and serves its methods. */
export async function hostService(options: HostedServiceOptions): Promise<HostedService> {
  const { service, telemetry, router, runtime } = options;
  using ctx = rootContext({ runtime, log: telemetry.log, timeoutMs: MIGRATION_TIMEOUT_MS });
  await migrate(options.db, ctx, migrationsOf(service));

  const stops: Array<() => Promise<void>> = [];
  const deps = {} as Writable<AnyDeps>;
  const messaging = messagingOf(options, deps);
  const engine = engineOf(options, messaging);
  const eventStore = eventStoreOf(options);
  const projections = projectionsOf(options, eventStore);
  await projections.prepare(ctx);
  Object.assign(deps, {
    ...basicsOf(options, stops),
    events: messaging.publisher,
    sagas: engine.sagas,
    eventStore,
    projections,
    parts: undefined,
  } satisfies AnyDeps);
  const operators = operatorsOf(options, messaging, engine, projections);
  if (options.role === 'operate') return { name: service.name, operators, start: async () => {}, stop: async () => {} };
  deps.parts = service.parts(deps as never);
  engine.bind(deps);
  projections.bind(deps);
  const handlers = await service.start(deps as never);
  for (const served of service.serves) router.add(served, handlers as never, { telemetry });
  options.jobs.add(service.name, telemetry.log, {
    name: 'sweep-idempotency',
    everyMs: SWEEP_EVERY_MS,
    run: (jobCtx) => sweepAnswers(options, jobCtx),
  });

  return {
    name: service.name,
    operators,
    start: async () => {
      await messaging.start();
      await engine.start();
      await projections.start();
    },
    stop: async () => {
      for (const stop of [() => projections.stop(), () => engine.stop(), () => messaging.stop(), ...stops.reverse()]) {
        // What comes after must still be stopped: the database closes next.
        await stop().catch((thrown) => {
          telemetry.log.error('a part of a service did not stop cleanly', { err: fromUnknown(thrown) });
        });
      }
    },
  };
}

/** Forgets answers to idempotency keys whose time is over. */
async function sweepAnswers({ db, runtime }: HostedServiceOptions, ctx: Context): Promise<void> {
  while ((await sweepIdempotency(db.at(ctx), runtime, SWEEP_BATCH)) === SWEEP_BATCH);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What the platform keeps for a service comes before the service's own tables. */
const migrationsOf = (service: AnyService): readonly (readonly Migration[])[] => [
  idempotencyMigrations,
  messagingMigrations,
  sagaMigrations,
  ...(followsEvents(service) ? [projectionMigrations] : []),
  service.migrations,
];

const followsEvents = ({ projections, subscriptions }: AnyService): boolean =>
  projections.length + subscriptions.length > 0;

function basicsOf(options: HostedServiceOptions, stops: Array<() => Promise<void>>) {
  const { service, runtime, telemetry, settings, db, jobs, transportTo, policies } = options;
  const clients = Object.entries(service.calls).map(([name, desc]) => {
    const own = { runtime, telemetry, callerService: service.name, policies };
    const client = createClient(desc, transportTo(desc.typeName), own);
    return [name, client] as const;
  });
  const businessEvents = standardMetrics(telemetry.metrics).businessEvents;
  return {
    runtime,
    telemetry,
    log: telemetry.log,
    db,
    settings,
    calls: Object.fromEntries(clients) as AnyDeps['calls'],
    policies,
    count: (event: string) => businessEvents.add(1, { event }),
    schedule: (job: Parameters<AnyDeps['schedule']>[0]) => jobs.add(service.name, telemetry.log, job),
    onStop: (stop: () => Promise<void>) => void stops.push(stop),
  };
}

/** Handlers are made at the first event: they are given the dependencies, of which the publisher is a part. */
function messagingOf(options: HostedServiceOptions, deps: AnyDeps): Messaging {
  const { service, runtime, telemetry, db, bus, stuckSagas } = options;
  const subscriptions = service.consumes.map(({ schema, ordered, onDeadLetter, make }) => {
    let handler: EventHandler | undefined;
    const handle: EventHandler = (ctx, event, delivery) => {
      handler ??= make(deps as never);
      return handler(ctx, event, delivery);
    };
    return { schema, ordered, onDeadLetter, handle };
  });
  return createMessaging({
    service: service.name,
    db,
    policies: options.policies,
    bus,
    runtime,
    telemetry,
    publishes: service.sagas.length > 0 ? [...service.publishes, ...(stuckSagas?.publishes ?? [])] : service.publishes,
    subscriptions,
  });
}

const operatorsOf = (
  { service }: HostedServiceOptions,
  { deadLetters, control }: Messaging,
  { admin }: SagaEngine<AnyDeps>,
  projections: Projections,
): ServiceOperators => ({
  service: service.name,
  sagas: admin,
  hears: service.consumes.map(({ schema }) => eventRules(schema).type),
  deadLetters,
  consumer: control,
  projections,
});

const eventStoreOf = ({ service, runtime, db, settings }: HostedServiceOptions): EventStore =>
  createEventStore({ runtime, service: service.name, ...service.eventStore({ runtime, db, settings } as never) });

const projectionsOf = ({ service, runtime, telemetry, db }: HostedServiceOptions, store: EventStore): Projections =>
  createProjections({
    db,
    store,
    runtime,
    telemetry,
    projections: service.projections,
    subscriptions: service.subscriptions,
  });

function engineOf(options: HostedServiceOptions, { publisher }: Messaging): SagaEngine<AnyDeps> {
  const { service, runtime, telemetry, db, stuckSagas } = options;
  return createSagaEngine<AnyDeps>({
    db,
    runtime,
    telemetry,
    definitions: service.sagas as never,
    ...(stuckSagas !== undefined && {
      onStuck: (tx, notice) => stuckSagas.tell(publisher, tx, { ...notice, service: service.name }),
    }),
  });
}
