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

/** So many that the two keys whose events a case expects in the order of its call share a queue: between others there is none. */
const PARTITIONS = 3;

let worlds = 0;

busSuite('rabbitmq', () => {
  const prefix = `world-${worlds++}`;
  return brokerWorld(
    broker,
    (runtime, port) =>
      createRabbitmqBus({ url: `amqp://guest:guest@127.0.0.1:${port}`, runtime, prefix, partitions: PARTITIONS }),
    DECLARED_MS,
  );
});
