// Brokers that are on this machine. `npm run test:infra` fetches them.

import { type Broker, natsBroker, rabbitmqBroker } from '../../tests/support/brokers.ts';

export interface RunningBrokers {
  /** By the name of the transport. */
  readonly urls: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** @param note Hears of brokers that are not here. */
export async function brokers(note: (line: string) => void): Promise<RunningBrokers> {
  const urls = new Map<string, string>();
  const running: Broker[] = [];
  const start = async (name: string, make: () => Promise<Broker>, urlOf: (broker: Broker) => string): Promise<void> => {
    try {
      const broker = await make();
      running.push(broker);
      await broker.start();
      urls.set(name, urlOf(broker));
    } catch (error) {
      note(`without ${name}: ${error instanceof Error ? error.message : error}`);
    }
  };
  await start('nats', natsBroker, ({ port }) => `nats://127.0.0.1:${port}`);
  await start('rabbitmq', rabbitmqBroker, ({ port }) => `amqp://guest:guest@127.0.0.1:${port}`);
  return {
    urls,
    close: async () => void (await Promise.all(running.map((broker) => broker.close()))),
  };
}
