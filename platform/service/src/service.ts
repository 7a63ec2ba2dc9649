import type { DescMessage, DescService } from '@bufbuild/protobuf';
import type { Settings, SettingsShape } from '@souk/config';
import type {
  EventStore,
  EventStoreOptions,
  EventSubscription,
  ProjectionDefinition,
  ProjectionReads,
} from '@souk/eventstore';
import type { Context, Logger, Runtime } from '@souk/kernel';
import type { Publisher, Subscription } from '@souk/messaging';
import type { PolicyRegistry } from '@souk/resilience';
import type { Client, Handlers } from '@souk/rpc';
import type { SagaDefinition, Sagas } from '@souk/saga';
import type { Database, Migration } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';

/** Services that a service calls, by the name it gives them. */
export type Calls = Readonly<Record<string, DescService>>;

/** What a service is given when it starts. */
export interface Deps<TCalls extends Calls = Calls, TSettings = unknown, TParts = undefined> {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** The service's own database. */
  readonly db: Database;
  readonly settings: TSettings;
  /** The service's own objects, made once by `parts`: repositories, caches, whatever handlers, consumers and sagas share. */
  readonly parts: TParts;
  readonly calls: { readonly [K in keyof TCalls]: Client<TCalls[K]> };
  readonly events: Publisher;
  readonly sagas: Sagas;
  /** The service's own events. Its tables are there when `migrations` hold those of the event store. */
  readonly eventStore: EventStore;
  /** Waits until a projection shows what was appended. */
  readonly projections: ProjectionReads;
  /** Policies by name, for what the service calls itself: another company, a mail server. Calls of other services have theirs already. */
  readonly policies: PolicyRegistry;
  /** Counts something the business cares about: `business_events_total{event}`. */
  readonly count: (event: string) => void;
  /** Runs `work` every `everyMs` until the service stops; never twice at once in this process; a failure is logged and the next turn comes. */
  readonly schedule: (job: Job) => void;
  /** Registers something to stop before the service's database closes. */
  readonly onStop: (stop: () => Promise<void>) => void;
}

/** Something a service does again and again. Other instances may do it at the same time: claim work with SKIP LOCKED. */
export interface Job {
  readonly name: string;
  /** Milliseconds between the end of one turn and the start of the next. */
  readonly everyMs: number;
  readonly run: (ctx: Context) => Promise<void>;
}

/** What the parts of an event store are made of. */
export interface EventStoreInit<TSettings> {
  readonly runtime: Runtime;
  readonly db: Database;
  readonly settings: TSettings;
}

export type EventStoreParts = Pick<EventStoreOptions, 'upcasters' | 'shredder'>;

type Intersect<TUnion> = (TUnion extends unknown ? (value: TUnion) => void : never) extends (value: infer TAll) => void
  ? TAll
  : never;

/** A handler for each method of all services served. */
export type HandlersOf<TServes extends readonly DescService[]> = Intersect<Handlers<TServes[number]>>;

/** The one declaration that a service exports: what it serves, calls, says, hears, keeps and does. */
export interface ServiceDefinition<
  TServes extends readonly DescService[] = readonly DescService[],
  TCalls extends Calls = Calls,
  TShape extends SettingsShape = SettingsShape,
  TParts = unknown,
> {
  readonly name: string;
  readonly serves: TServes;
  readonly calls: TCalls;
  readonly publishes: readonly DescMessage[];
  readonly consumes: readonly Subscription<Deps<TCalls, Settings<TShape>, TParts>>[];
  readonly sagas: readonly SagaDefinition<Deps<TCalls, Settings<TShape>, TParts>, never>[];
  /** Read models made of the service's own events. Their tables are made at the start. */
  readonly projections: readonly ProjectionDefinition[];
  /** Reactions to the service's own events. */
  readonly subscriptions: readonly EventSubscription<Deps<TCalls, Settings<TShape>, TParts>>[];
  /** How its events are read: upcasters, and what encrypts personal data. */
  readonly eventStore: (init: EventStoreInit<Settings<TShape>>) => EventStoreParts;
  readonly settings: TShape;
  /** The service's own tables. What its outbox, inbox, sagas and projections need is added by the host. */
  readonly migrations: readonly Migration[];
  /** Called once, before everything else that gets `deps`: makes what handlers, consumers and sagas share. */
  readonly parts: (deps: Deps<TCalls, Settings<TShape>, undefined>) => TParts;
  /** Called once, when database, clients and bus are ready. */
  readonly start: (deps: Deps<TCalls, Settings<TShape>, TParts>) => HandlersOf<TServes> | Promise<HandlersOf<TServes>>;
}

/** Freezes a declaration; its types flow into `parts`, `start`, `consumes`, `subscriptions` and `sagas`. */
export function defineService<
  const TServes extends readonly DescService[],
  const TCalls extends Calls = Record<never, never>,
  const TShape extends SettingsShape = Record<never, never>,
  TParts = undefined,
>(
  definition: Pick<ServiceDefinition<TServes, TCalls, TShape, TParts>, 'name' | 'serves' | 'start'> &
    Partial<ServiceDefinition<TServes, TCalls, TShape, TParts>>,
): ServiceDefinition<TServes, TCalls, TShape, TParts> {
  return Object.freeze({
    calls: {} as TCalls,
    publishes: [],
    consumes: [],
    sagas: [],
    projections: [],
    subscriptions: [],
    eventStore: () => ({}),
    settings: {} as TShape,
    migrations: [],
    parts: () => undefined as TParts,
    ...definition,
  });
}
