import type { PostgresServer } from '@souk/adapter-postgres';
import type { Context, Runtime } from '@souk/kernel';
import { type Bus, createInProcessBus } from '@souk/messaging';
import type { Telemetry } from '@souk/telemetry';
import type { OutboxOrder } from './souk.ts';

export async function createBenchBus(
  { transport }: OutboxOrder,
  {
    runtime,
  }: {
    readonly server: PostgresServer;
    readonly runtime: Runtime;
    readonly telemetry: Telemetry;
    readonly ctx: Context;
  },
): Promise<Bus> {
  if (transport === 'in-process') return createInProcessBus({ runtime });
  throw new Error(`no bus for ${transport}`);
}
