import { type Logger, raceAbort, type SoukError } from '@souk/kernel';
import { describeFault, type Envelope, messagingErrors } from '@souk/messaging';
import type { Channel } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import type { RabbitmqBusSettings } from './options.ts';
import { eventsExchange, routingKey } from './topology.ts';
import { partitionOf, toProperties } from './wire.ts';

/** A confirm channel, and what the broker says on it. */
export interface PublishingChannel {
  readonly channel: Channel;
  /** Ids of events that no queue took, as the broker returned them. */
  readonly returned: Set<string>;
  /** The topology is not what it should be: declare it again. */
  fail(error: unknown): void;
}

/**
 * Publishes with confirms, and tells an event that nobody hears, which is well, from one whose queues are lost. The broker confirms both.
 *
 *   returned, and a subscription of this process hears the type    the queues are lost: refused, and all is declared again
 *   returned, and a queue took the type before                     refused for `recoverMs`, so that other processes can declare theirs;
 *                                                                  then its last group is taken to have been removed on purpose
 *   returned otherwise                                             nobody hears it
 */
export class EventPublisher {
  readonly #settings: RabbitmqBusSettings;
  readonly #log: Logger;
  readonly #isHeardHere: (type: string) => boolean;
  /** Types that some queue took, and since when none does. */
  readonly #routed = new Map<string, { missingSinceMs: number | undefined }>();

  constructor(settings: RabbitmqBusSettings, log: Logger, isHeardHere: (type: string) => boolean) {
    this.#settings = settings;
    this.#log = log;
    this.#isHeardHere = isHeardHere;
  }

  /** @throws what kept one of them from being taken, when the fate of all is known */
  async publish(publishing: PublishingChannel, envelopes: readonly Envelope[]): Promise<void> {
    const keys = Map.groupBy(envelopes, ({ source, key }) => `${source}#${key}`);
    const outcomes = await Promise.allSettled([...keys.values()].map((key) => this.#publishKey(publishing, key)));
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
  }

  /** One after another: the second of a key is sent when the broker has the first. */
  async #publishKey(publishing: PublishingChannel, envelopes: readonly Envelope[]): Promise<void> {
    for (const envelope of envelopes) {
      await this.#confirmed(publishing.channel, envelope);
      // The return comes before the confirm, but the client library passes it on a turn later.
      await this.#settings.runtime.timers.sleep(0);
      if (publishing.returned.delete(envelope.id)) this.#onReturned(publishing, envelope.type);
      else this.#routed.set(envelope.type, { missingSinceMs: undefined });
    }
  }

  async #confirmed(channel: Channel, envelope: Envelope): Promise<void> {
    const { publishMs, partitions, runtime } = this.#settings;
    const limit = new AbortController();
    const timer = runtime.timers.after(publishMs, () =>
      limit.abort(rabbitmqErrors.NOT_CONFIRMED({ type: envelope.type, ms: publishMs })),
    );
    const { buffer, byteOffset, length } = envelope.data;
    const sent = channel.basicPublish(
      {
        ...toProperties(envelope),
        exchange: eventsExchange(this.#settings),
        routingKey: routingKey(partitionOf(envelope, partitions), envelope.type),
        durable: true,
        mandatory: true,
      },
      Buffer.from(buffer, byteOffset, length),
    );
    try {
      await raceAbort(sent, limit.signal);
    } catch (error) {
      if (error === limit.signal.reason) throw error;
      throw toError(error, envelope.type);
    } finally {
      timer.cancel();
    }
  }

  #onReturned(publishing: PublishingChannel, type: string): void {
    const routed = this.#routed.get(type);
    if (this.#isHeardHere(type)) {
      const error = rabbitmqErrors.QUEUES_GONE({ type });
      publishing.fail(error);
      throw error;
    }
    if (routed === undefined) return;
    const nowMs = this.#settings.runtime.clock.monotonicMs();
    routed.missingSinceMs ??= nowMs;
    if (nowMs - routed.missingSinceMs < this.#settings.recoverMs) {
      throw rabbitmqErrors.QUEUES_GONE({ type }, { afterMs: 1000 });
    }
    this.#routed.delete(type);
    this.#log.warn('a type of events that was heard has no queue any more: it counts as heard by nobody', { type });
  }
}

const toError = (cause: unknown, type: string): SoukError =>
  (cause as { code?: string }).code === 'NACK'
    ? rabbitmqErrors.REJECTED({ type }, { cause, afterMs: 1000 })
    : messagingErrors.BUS_UNAVAILABLE({ bus: 'rabbitmq', why: describeFault(cause) }, { cause });
