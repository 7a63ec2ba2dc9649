import { create, type DescMessage, type DescService, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { loadSettings, type Settings, type SettingsShape } from '@souk/config';
import { createEventStore, createProjections, type ProjectionDefinition, projectionMigrations } from '@souk/eventstore';
import { type Logger, type Runtime, rootContext, silentLogger } from '@souk/kernel';
import {
  createInProcessBus,
  createMessaging,
  type Delivery,
  type Envelope,
  messagingMigrations,
} from '@souk/messaging';
import { createPolicyRegistry } from '@souk/resilience';
import { type Client, createClient, createInProcessTransport, createRouter, type Handlers } from '@souk/rpc';
import { createSagaEngine, type SagaEngineOptions, sagaMigrations } from '@souk/saga';
import type { Calls, Deps, Job, ServiceDefinition } from '@souk/service';
import { type Database, idempotencyMigrations, type Migration } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';
import { testkitErrors } from './errors.ts';
import { callersOf, type FakeCall, fakeService } from './fake-service.ts';

export interface ServiceWorldOptions<TCalls extends Calls, TShape extends SettingsShape> {
  /** Has the tables of {@link migrationsOf}. */
  readonly db: Database;
  /** A virtual one serves as long as nothing waits for the database: no running sagas, no repeated calls. */
  readonly runtime: Runtime;
  /** Those that differ from the defaults. */
  readonly settings?: Partial<Settings<TShape>>;
  /** What the services it calls answer, by the names it has for them. */
  readonly callees?: { readonly [K in keyof TCalls]?: Partial<Handlers<TCalls[K]>> };
  readonly sagaOptions?: SagaEngineOptions;
  /** @default a silent one */
  readonly log?: Logger;
}

/** Tables that a host makes for a service, and the service's own. */
export const migrationsOf = (service: {
  readonly migrations: readonly Migration[];
  readonly projections?: readonly ProjectionDefinition[];
  readonly subscriptions?: readonly unknown[];
}): readonly (readonly Migration[])[] => [
  idempotencyMigrations,
  messagingMigrations,
  sagaMigrations,
  ...((service.projections?.length ?? 0) + (service.subscriptions?.length ?? 0) > 0 ? [projectionMigrations] : []),
  service.migrations,
];

/** An event in the outbox. */
export interface PublishedEvent {
  /** Full name of the message: `souk.orders.v1.OrderPlaced`. */
  readonly schema: string;
  readonly key: string;
  readonly event: Readonly<Record<string, unknown>>;
}

/** A call that the service made: `inventory.reserveStock`. */
export interface MadeCall extends Omit<FakeCall, 'method'> {
  readonly call: string;
}

/**
 * One instance of a service as its callers meet it: through the router, with the contract's rules and access rules, on a real database, with a
 * real outbox, inbox and saga engine; the services it calls are fakes.
 */
export async function createServiceWorld<
  TServes extends readonly DescService[],
  TCalls extends Calls,
  TShape extends SettingsShape,
  TParts,
>(service: ServiceDefinition<TServes, TCalls, TShape, TParts>, options: ServiceWorldOptions<TCalls, TShape>) {
  const { db, runtime, log = silentLogger } = options;
  const { name } = service;
  const telemetry = { ...silentTelemetry(runtime, name), log };
  const bus = createInProcessBus({ runtime });
  const { publishes } = service;
  const { publisher } = createMessaging({ service: name, db, bus, runtime, telemetry, publishes, subscriptions: [] });
  const engine = createSagaEngine({
    db,
    runtime,
    telemetry,
    definitions: service.sagas as never,
    ...options.sagaOptions,
  });

  const calls: MadeCall[] = [];
  const counted: string[] = [];
  const jobs: Job[] = [];
  const stops: (() => Promise<void>)[] = [];
  const clients = Object.entries(service.calls).map(([callee, desc]) => {
    const onCall = ({ method, ...call }: FakeCall) => void calls.push({ call: `${callee}.${method}`, ...call });
    const handlers = options.callees?.[callee] ?? {};
    return [callee, fakeService(desc, handlers as never, { runtime, callerService: name, onCall })] as const;
  });
  const defaults = loadSettings({ sections: { [name]: service.settings } }).values[name];
  const settings = { ...defaults, ...options.settings } as Settings<TShape>;
  const eventStore = createEventStore({ runtime, service: name, ...service.eventStore({ runtime, db, settings }) });
  const projections = createProjections({
    db,
    store: eventStore,
    runtime,
    telemetry,
    projections: service.projections,
    subscriptions: service.subscriptions as never,
  });
  await projections.prepare(rootContext({ runtime, log }));
  const basics = {
    runtime,
    log,
    telemetry,
    db,
    settings,
    eventStore,
    projections,
    calls: Object.fromEntries(clients) as Deps<TCalls>['calls'],
    events: publisher,
    sagas: engine.sagas,
    count: (event: string) => void counted.push(event),
    schedule: (job: Job) => void jobs.push(job),
    policies: createPolicyRegistry({ runtime }),
    onStop: (stop: () => Promise<void>) => void stops.push(stop),
  };
  const deps: Deps<TCalls, Settings<TShape>, TParts> = {
    ...basics,
    parts: service.parts({ ...basics, parts: undefined }),
  };
  engine.bind(deps as never);
  projections.bind(deps);
  const handlers = await service.start(deps);
  const router = createRouter({ runtime, telemetry, validateResponses: true });
  for (const served of service.serves) router.add(served, handlers as never);
  const transport = createInProcessTransport(router);

  const deliveryOf = (envelope: Envelope, attempt: number): Delivery => ({
    envelope,
    attempt,
    once: (work) =>
      db.tx(rootContext({ runtime, log, caller: { roles: [], service: name } }), async (tx) => {
        const { rowCount } = await tx.query(
          'insert into souk.inbox (consumer, source, id, received_at) values ($1, $2, $3, now()) on conflict do nothing',
          [name, envelope.source, envelope.id],
        );
        return rowCount > 0 ? work(tx) : undefined;
      }),
  });

  return {
    deps,
    ...callersOf(runtime),
    /** A client of one of the services it serves; who calls is up to the context. */
    client: <T extends DescService>(served: T): Client<T> =>
      createClient(served, transport, { runtime, telemetry: silentTelemetry(runtime) }),
    /** Delivers an event to it, and resolves when it is handled. @param id The same id is the same event again. */
    hear: async <TEvent extends DescMessage>(
      schema: TEvent,
      init: MessageInitShape<TEvent>,
      id: string = runtime.ids.uuid(),
    ): Promise<void> => {
      const subscription = service.consumes.find((one) => one.schema.typeName === schema.typeName);
      if (subscription === undefined) throw testkitErrors.NOT_HEARD({ service: name, type: schema.typeName });
      const envelope = {
        id,
        source: '/souk/test',
        type: schema.typeName,
        schema: schema.typeName,
        key: '',
        time: new Date(runtime.clock.now()).toISOString(),
        traceparent: '',
        causationId: undefined,
        data: new Uint8Array(),
      };
      const ctx = rootContext({ runtime, log, caller: { roles: [], service: name } });
      await subscription.make(deps)(ctx, create(schema, init), deliveryOf(envelope, 1));
    },
    /** What it published and committed, oldest first. */
    published: async (): Promise<PublishedEvent[]> => {
      const { rows } = await db
        .at(rootContext({ runtime }))
        .query<{ schema: string; key: string; data: Uint8Array }>(
          'select schema, key, data from souk.outbox order by pos',
        );
      return rows.map(({ schema, key, data }) => {
        const desc = publishes.find(({ typeName }) => typeName === schema) as DescMessage;
        return { schema, key, event: fromBinary(desc, data) as unknown as Record<string, unknown> };
      });
    },
    /** Calls it made, in order; repeats included. */
    calls: calls as readonly MadeCall[],
    /** Business events it counted. */
    counted: counted as readonly string[],
    /** One turn of a job. */
    runJob: async (job: string): Promise<void> => {
      const found = jobs.find((one) => one.name === job);
      if (found === undefined) throw testkitErrors.NO_JOB({ service: name, job });
      await found.run(rootContext({ runtime, log, caller: { roles: [], service: name } }));
    },
    /** Lets sagas run; until then they wait in the database. */
    runSagas: (): Promise<void> => engine.start(),
    /** Lets projections and subscriptions follow events; until then they stay where they are. */
    runProjections: (): Promise<void> => projections.start(),
    projections,
    /** Stops sagas, projections and what the service wants stopped. The database is the test's. */
    close: async (): Promise<void> => {
      await projections.stop();
      await engine.stop();
      for (const stop of stops.reverse()) await stop();
    },
  };
}
