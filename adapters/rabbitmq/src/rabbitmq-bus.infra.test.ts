import { after, before } from 'node:test';
import { busSuite } from '@souk/messaging/conformance';
import { rabbitmqBroker } from '../../../tests/support/brokers.ts';
import { brokerWorld } from '../../../tests/support/bus-worlds.ts';
import { createRabbitmqBus } from './rabbitmq-bus.ts';

const broker = await rabbitmqBroker();
before(() => broker.start());
after(() => broker.close());

/** RabbitMQ 3.10 writes down the members of a new queue with a delay of 3 s. */
const DECLARED_MS = 4000;

let worlds = 0;

busSuite('rabbitmq', () => {
  const prefix = `world-${worlds++}`;
  return brokerWorld(
    broker,
    (runtime, port) =>
      createRabbitmqBus({ url: `amqp://guest:guest@127.0.0.1:${port}`, runtime, prefix, partitions: 4 }),
    DECLARED_MS,
  );
});
