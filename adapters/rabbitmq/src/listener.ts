import { fromUnknown, type Logger } from '@souk/kernel';
import { type ActiveSubscription, type BusSubscription, describeFault } from '@souk/messaging';
import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import { Lanes } from './lanes.ts';
import type { RabbitmqBusSettings } from './options.ts';
import { declareQueue, type GroupQueue, groupQueues } from './topology.ts';
import { earlierDeliveries, toEnvelope } from './wire.ts';

export interface Attachment {
  /** The connection for consuming. */
  readonly consuming: Connection;
  /** This connection is no good any more. */
  fail(error: unknown): void;
}

/**
 * One subscription, over as many connections as it takes.
 *
 * It lets go of a queue by closing the channel, when nothing of it runs any more, and never by cancelling the consumer: a queue with one
 * active consumer gives its next events to the next consumer as soon as the first is cancelled, while what the first still holds is
 * outstanding, and keys would lose their order. When a channel closes, what it held goes back first, in order.
 */
export class Listener implements ActiveSubscription {
  readonly #settings: RabbitmqBusSettings;
  readonly #log: Logger;
  readonly #onClose: () => void;
  readonly #types: ReadonlySet<string>;
  readonly #queues: readonly GroupQueue[];
  readonly #lanes: Lanes;
  #attachment: Attachment | undefined;
  #channels: Channel[] = [];
  /** One change after another. */
  #turn: Promise<void> = Promise.resolve();
  #wanted: 'heard' | 'paused' | 'closed' = 'heard';

  constructor(subscription: BusSubscription, settings: RabbitmqBusSettings, log: Logger, onClose: () => void) {
    this.#settings = settings;
    this.#log = log.with({ consumer: subscription.name });
    this.#onClose = onClose;
    this.#types = new Set(subscription.types.map(({ type }) => type));
    this.#queues = groupQueues(settings, subscription);
    this.#lanes = new Lanes(subscription, settings.runtime, this.#log);
  }

  hears(type: string): boolean {
    return this.#types.has(type);
  }

  /** Declares the group's queues and listens. */
  async attach(attachment: Attachment): Promise<void> {
    const channel = await attachment.consuming.acquire({ emitErrorsFromChannel: true });
    channel.on('error', () => {});
    try {
      for (const queue of this.#queues) await declareQueue(channel, this.#settings, queue);
    } finally {
      await channel.close();
    }
    this.#attachment = attachment;
    this.#channels = [];
    this.#lanes.forgetOrphans();
    await this.#change();
  }

  pause(): void {
    if (this.#wanted === 'heard') this.#want('paused');
  }

  resume(): void {
    if (this.#wanted === 'paused') this.#want('heard');
  }

  async close(): Promise<void> {
    if (this.#wanted !== 'closed') {
      this.#want('closed');
      this.#onClose();
    }
    await this.#turn;
  }

  #want(state: 'heard' | 'paused' | 'closed'): void {
    this.#wanted = state;
    if (state !== 'heard') this.#lanes.pause();
    void this.#change();
  }

  #change(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      try {
        if (this.#wanted === 'heard') {
          if (this.#channels.length === 0) await this.#listen();
          this.#lanes.resume();
        } else await this.#letGo();
      } catch (thrown) {
        this.#attachment?.fail(thrown);
      }
    });
    return this.#turn;
  }

  async #letGo(): Promise<void> {
    await this.#lanes.idle();
    await Promise.all(this.#channels.splice(0).map((channel) => channel.close()));
    this.#lanes.forgetOrphans();
  }

  async #listen(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === undefined) return;
    const { concurrency } = this.#lanes;
    const orderedQueues = this.#queues.filter(({ ordered }) => ordered).length;
    for (const queue of this.#queues) {
      const channel = await attachment.consuming.acquire({ emitErrorsFromChannel: true });
      const lost = (why: string) => {
        if (!this.#channels.includes(channel)) return;
        attachment.fail(rabbitmqErrors.CONSUMER_GONE({ queue: queue.name, why }));
      };
      this.#channels.push(channel);
      channel.on('error', (error) => lost(describeFault(error)));
      channel.on('close', () => lost('the channel was closed'));
      channel.on('basic.cancel', () => lost('the broker ended the consumer'));
      // A key that waits leaves some places of its queue to others; all queues together hold about what may run.
      const prefetchCount = queue.ordered ? 1 + Math.ceil(concurrency / orderedQueues) : concurrency;
      await channel.basicQos({ prefetchCount });
      await channel.basicConsume({ queue: queue.name }, (message) => this.#take(message, channel, queue));
    }
  }

  #take(message: AsyncMessage, channel: Channel, queue: GroupQueue): void {
    const { deliveryTag } = message;
    try {
      this.#lanes.take({
        envelope: toEnvelope(message, queue.name),
        ordered: queue.ordered,
        earlier: earlierDeliveries(message),
        isAlive: () => channel.active,
        ack: () => {
          if (channel.active) channel.basicAck({ deliveryTag });
        },
      });
    } catch (thrown) {
      this.#log.error('a message is no event and goes to the dead queue', { err: fromUnknown(thrown) });
      if (channel.active) channel.basicNack({ deliveryTag, requeue: false });
    }
  }
}
