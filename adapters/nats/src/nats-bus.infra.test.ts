import { after, before } from 'node:test';
import { busSuite } from '@souk/messaging/conformance';
import { type Broker, natsBroker } from '../../../tests/support/brokers.ts';
import { brokerWorld } from '../../../tests/support/bus-worlds.ts';
import { createNatsBus } from './nats-bus.ts';

const broker: Broker = await natsBroker();
before(() => broker.start());
after(() => broker.close());

/** So many that the two keys whose events a case expects in the order of its call share a partition: between others there is none. */
const PARTITIONS = 5;

let worlds = 0;

busSuite('nats', () => {
  const prefix = `world-${worlds++}`;
  return brokerWorld(broker, (runtime, port) =>
    createNatsBus({ urls: [`nats://127.0.0.1:${port}`], runtime, prefix, partitions: PARTITIONS, ackWaitMs: 2000 }),
  );
});
