import type { DescMessage } from '@bufbuild/protobuf';
import { type Context, newTrace, type Runtime, rootContext } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import { eventRules } from '@souk/schema';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import type { ActiveSubscription, Bus, BusHealth } from './bus.ts';
import type { DeadLetterPolicy, EventHandler } from './consumer.ts';
import { type ConsumerControl, createConsumerControl } from './consumer-control.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { createAttempts, type Route } from './delivery.ts';
import { messagingErrors } from './errors.ts';
import { EventConsumer } from './event-consumer.ts';
import { type Backlog, Housekeeping, NO_BACKLOG } from './housekeeping.ts';
import { createInstruments } from './instruments.ts';
import { type MessagingOptions, messagingDefaults } from './options.ts';
import { createOutbox } from './outbox.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { consumePolicy, publishPolicy } from './policies.ts';
import type { Publisher } from './publisher.ts';
import { createRetryTable } from './retry-table.ts';

export interface MessagingInit {
  /** Name of the service: source of what it publishes, and name of the consumer. */
  readonly service: string;
  /** Has the tables of `messagingMigrations`, unless the service neither publishes nor hears anything. */
  readonly db: Database;
  readonly bus: Bus;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly publishes: readonly DescMessage[];
  readonly subscriptions: readonly ServiceSubscription[];
  readonly options?: Partial<MessagingOptions>;
  /** Where `publish:<bus>` and `consume:<service>` are. Without it nothing is refused. */
  readonly policies?: PolicyRegistry | undefined;
}

export interface ServiceSubscription {
  readonly schema: DescMessage;
  readonly ordered: boolean;
  /** @default 'skip' */
  readonly onDeadLetter?: DeadLetterPolicy;
  readonly handle: EventHandler;
}

export interface MessagingHealth extends Backlog {
  /** `leading`: this process sends what is in the outbox, or its share of it. `standby`: others do. `none`: the service publishes nothing. */
  readonly relay: 'leading' | 'standby' | 'none';
  readonly bus: BusHealth;
}

/** The events of one service: what it says and what it hears. */
export interface Messaging {
  readonly publisher: Publisher;
  /** Letters of this service as a consumer. */
  readonly deadLetters: DeadLetters;
  readonly control: ConsumerControl;
  /** Begins to send and to handle. */
  start(): Promise<void>;
  /**
   * Takes nothing new and ends what is under way, or, after `drainMs`, leaves it to be delivered again; hands the outbox to the next
   * process. Resolves within `drainMs` and a few statements.
   */
  stop(): Promise<void>;
  health(): MessagingHealth;
}

/** Time for one of our own statements, in milliseconds. */
const STATEMENT_MS = 5000;

/**
 * Makes the service known to the bus at once, so that events of others wait for it: make the messaging of all services of a process
 * before starting any.
 *
 * @throws MESSAGING_DUPLICATE_SUBSCRIPTION, SCHEMA_BAD_CONTRACT
 */
export function createMessaging(init: MessagingInit): Messaging {
  const { service, db, bus, runtime, telemetry, publishes } = init;
  const options = { ...messagingDefaults, ...init.options };
  const { log } = telemetry;
  const instruments = createInstruments(telemetry);
  const routes = routesOf(init);
  const handlersEnd = new AbortController();
  const started = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;

  // Statements that belong to no call are in no trace.
  const context = (): Context =>
    rootContext({ runtime, log, timeoutMs: STATEMENT_MS, trace: newTrace(runtime, false) });

  const shared = { consumer: service, db, runtime, telemetry, log, options, instruments, context };
  const attempts = createAttempts({ ...shared, handlerMs: options.handlerMs, signal: handlersEnd.signal });
  const policy = publishPolicy(init.policies, bus);
  const relay =
    publishes.length > 0
      ? new OutboxRelay({ ...{ db, bus, runtime, log, options, context, policy }, source: `/souk/${service}` })
      : undefined;
  const publisher = createOutbox({
    service,
    runtime,
    telemetry,
    publishes,
    causeOf: attempts.causeOf,
    onCommit: () => relay?.onCommit(),
  });

  const retries = createRetryTable({ ...shared, handlerMs: options.handlerMs });
  const consumer = new EventConsumer({
    ...shared,
    routes,
    attempts,
    policy: consumePolicy(init.policies, service),
    retries,
    isStopping: () => stopping !== undefined,
    countsDeliveries: bus.can.countsDeliveries,
  });
  // A bus that remembers keeps events itself; another would hold up its publishers, so what comes is put aside.
  let isPaused = false;
  const setPaused = (paused: boolean): void => {
    if (paused === isPaused) return;
    isPaused = paused;
    consumer.setPaused(paused);
    if (!bus.can.durable) return;
    if (paused) subscription?.pause();
    else subscription?.resume();
  };
  const hears = routes.size > 0;
  const housekeeping = hears || relay !== undefined ? new Housekeeping({ ...shared, onPaused: setPaused }) : undefined;
  const subscription: ActiveSubscription | undefined = hears
    ? bus.subscribe({
        name: service,
        types: [...routes.values()].map(({ type, ordered }) => ({ type, ordered })),
        handle: async (delivery) => {
          await started.promise;
          if (stopping !== undefined) throw messagingErrors.STOPPING({ service });
          await consumer.receive(delivery);
        },
      })
    : undefined;

  const stop = async (): Promise<void> => {
    const limit = runtime.timers.after(options.drainMs, () => handlersEnd.abort(messagingErrors.STOPPING({ service })));
    started.resolve();
    await Promise.all([
      subscription?.close(),
      hears ? consumer.stop() : undefined,
      relay?.stop(),
      housekeeping?.stop(),
    ]);
    limit.cancel();
  };

  telemetry.metrics.onCollect(() =>
    instruments.connected.set(bus.health().state === 'connected' ? 1 : 0, { bus: bus.name }),
  );

  return {
    publisher,
    deadLetters: createDeadLetters({
      service,
      db,
      runtime,
      log,
      schemas: init.subscriptions.map(({ schema }) => schema),
      onRedrive: () => consumer.wake(),
    }),
    control: createConsumerControl({ service, db, runtime, log, onChange: setPaused }),
    start: async () => {
      if (hears) await housekeeping?.prepare();
      if (hears) consumer.start();
      relay?.start();
      housekeeping?.start();
      started.resolve();
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    health: () => ({
      relay: relay === undefined ? 'none' : relay.slots > 0 ? 'leading' : 'standby',
      bus: bus.health(),
      ...(housekeeping?.backlog ?? NO_BACKLOG),
    }),
  };
}

function routesOf({ service, subscriptions }: MessagingInit): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const { schema, ordered, handle, onDeadLetter = 'skip' } of subscriptions) {
    const { type } = eventRules(schema);
    if (routes.has(type)) throw messagingErrors.DUPLICATE_SUBSCRIPTION({ service, type });
    routes.set(type, { type, schema, ordered, onDeadLetter, handle });
  }
  return routes;
}
