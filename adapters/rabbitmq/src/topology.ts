import { type BusSubscription, describeFault } from '@souk/messaging';
import type { Channel } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import type { RabbitmqBusSettings } from './options.ts';
import { toToken } from './wire.ts';

// What the broker must hold for us. Declared again on every connection: a broker that came back empty is filled by whoever comes first.
//
//   publisher --<partition>.<type>--> exchange <prefix>.events --bindings--> queue per group and partition, and one for unordered events
//                                                                                └--too often--> exchange and queue <prefix>.dead

export const eventsExchange = ({ prefix }: RabbitmqBusSettings): string => `${prefix}.events`;
const deadName = ({ prefix }: RabbitmqBusSettings): string => `${prefix}.dead`;
export const requestQueue = ({ prefix }: RabbitmqBusSettings, address: string): string =>
  `${prefix}.requests.${toToken(address)}`;

export const routingKey = (partition: number, type: string): string => `${partition}.${toToken(type)}`;

/** A queue of a group. */
export interface GroupQueue {
  readonly name: string;
  readonly ordered: boolean;
  readonly bindings: readonly string[];
}

export function groupQueues(settings: RabbitmqBusSettings, { name, types }: BusSubscription): GroupQueue[] {
  const group = `${settings.prefix}.${toToken(name)}`;
  const ordered = types.filter((one) => one.ordered).map(({ type }) => type);
  const loose = types.filter((one) => !one.ordered).map(({ type }) => type);
  const queues: GroupQueue[] = Array.from({ length: ordered.length > 0 ? settings.partitions : 0 }, (_, partition) => ({
    name: `${group}.${partition}`,
    ordered: true,
    bindings: ordered.map((type) => routingKey(partition, type)),
  }));
  if (loose.length > 0) {
    queues.push({ name: `${group}.loose`, ordered: false, bindings: loose.map((type) => `*.${toToken(type)}`) });
  }
  return queues;
}

/** @throws RABBITMQ_TOPOLOGY_MISMATCH */
export async function declareExchanges(channel: Channel, settings: RabbitmqBusSettings): Promise<void> {
  const dead = deadName(settings);
  await declaring(dead, async () => {
    await channel.exchangeDeclare({ exchange: dead, type: 'fanout', durable: true });
    await channel.queueDeclare({ queue: dead, durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.queueBind({ exchange: dead, queue: dead, routingKey: '' });
  });
  const events = eventsExchange(settings);
  await declaring(events, () => channel.exchangeDeclare({ exchange: events, type: 'topic', durable: true }));
}

/** @throws RABBITMQ_TOPOLOGY_MISMATCH */
export async function declareQueue(channel: Channel, settings: RabbitmqBusSettings, queue: GroupQueue): Promise<void> {
  await declaring(queue.name, async () => {
    await channel.queueDeclare({
      queue: queue.name,
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        // One process reads a partition: two would share out the events of a key.
        ...(queue.ordered ? { 'x-single-active-consumer': true } : {}),
        'x-max-length': settings.maxLength,
        // Also what at-least-once dead lettering demands.
        'x-overflow': 'reject-publish',
        'x-delivery-limit': settings.deliveryLimit,
        'x-dead-letter-exchange': deadName(settings),
        'x-dead-letter-strategy': 'at-least-once',
      },
    });
    for (const binding of queue.bindings) {
      await channel.queueBind({ exchange: eventsExchange(settings), queue: queue.name, routingKey: binding });
    }
  });
}

/** Requests are not kept: the queue goes with its last responder. */
export async function declareRequests(channel: Channel, name: string): Promise<void> {
  // After a restart of the broker nobody has left it, so it must also end by itself.
  const expires = { 'x-expires': 30_000 };
  await declaring(name, () =>
    channel.queueDeclare({ queue: name, durable: true, autoDelete: true, arguments: expires }),
  );
}

async function declaring(name: string, declare: () => Promise<unknown>): Promise<void> {
  try {
    await declare();
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'PRECONDITION_FAILED') throw cause;
    throw rabbitmqErrors.TOPOLOGY_MISMATCH({ name, why: describeFault(cause) }, { cause });
  }
}
