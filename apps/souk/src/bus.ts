import { createPostgresBus, postgresBusMigrations } from '@souk/adapter-postgres-bus';
import { kernelErrors, type Runtime, rootContext } from '@souk/kernel';
import { type Bus, createInProcessBus } from '@souk/messaging';
import { type Database, type DatabaseServer, migrate } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { BUS_DATABASE } from './bus-setting.ts';
import { drivers } from './drivers.ts';

export interface BusInit {
  /** As `busSetting` reads it. */
  readonly transport: string;
  /** Where the bus has a database of its own, if it wants one; started before the bus. */
  readonly databases: DatabaseServer;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
}

const MIGRATION_MS = 60_000;

/** The way of events between services. */
export function createBus({ transport, databases, runtime, telemetry }: BusInit): Bus {
  const { log, metrics } = telemetry;
  if (transport === 'in-process') return createInProcessBus({ runtime, log });
  if (transport === 'postgres') return postgresBus(databases, runtime, telemetry);
  if (/^amqps?:/.test(transport))
    return drivers.rabbitmq().createRabbitmqBus({ url: transport, runtime, log, metrics });
  return drivers.nats().createNatsBus({ urls: [transport], runtime, log, metrics });
}

/** Opens its database when it starts, and closes it behind itself. */
function postgresBus(databases: DatabaseServer, runtime: Runtime, { log }: Telemetry): Bus {
  let opened: Database | undefined;
  const demand = (): Database => {
    if (opened === undefined) throw kernelErrors.NOT_STARTED({ part: 'the database of the bus' });
    return opened;
  };
  const db: Database = {
    name: BUS_DATABASE,
    at: (ctx) => demand().at(ctx),
    tx: (ctx, work, options) => demand().tx(ctx, work, options),
    listen: (channel, handlers) => demand().listen(channel, handlers),
    close: async () => opened?.close(),
  };
  const bus = createPostgresBus({ db, runtime, log });
  return {
    ...bus,
    start: async () => {
      opened = await databases.open(BUS_DATABASE);
      try {
        using ctx = rootContext({ runtime, log, timeoutMs: MIGRATION_MS });
        await migrate(opened, ctx, [postgresBusMigrations]);
        await bus.start();
      } catch (error) {
        await opened.close();
        throw error;
      }
    },
    close: async () => {
      await bus.close();
      await db.close();
    },
  };
}
