import { createNatsBus } from '@souk/adapter-nats';
import type { PostgresServer } from '@souk/adapter-postgres';
import { createPostgresBus, postgresBusMigrations } from '@souk/adapter-postgres-bus';
import { createRabbitmqBus } from '@souk/adapter-rabbitmq';
import type { Context, Runtime } from '@souk/kernel';
import { type Bus, createInProcessBus } from '@souk/messaging';
import { migrate } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import type { OutboxOrder } from './souk.ts';

export async function createBenchBus(
  { transport }: OutboxOrder,
  init: {
    readonly server: PostgresServer;
    readonly runtime: Runtime;
    readonly telemetry: Telemetry;
    readonly ctx: Context;
  },
): Promise<Bus> {
  const { runtime, telemetry, server, ctx } = init;
  const { log } = telemetry;
  if (transport === 'in-process') return createInProcessBus({ runtime });
  if (transport.startsWith('nats:')) return createNatsBus({ urls: [transport], runtime, log });
  if (transport.startsWith('amqp:')) return createRabbitmqBus({ url: transport, runtime, log });
  const db = await server.open('bus', { poolSize: 5 });
  await migrate(db, ctx, [postgresBusMigrations]);
  return createPostgresBus({ db, runtime, log });
}
